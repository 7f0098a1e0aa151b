%%% @doc Where posts are stored: ejabberd's pubsub tables, in the database that mod_pubsub of the vhost uses. One
%% private node for each author, its items the posts. What they mean is the business of {@link twitter_store} and
%%% {@link twitter_heard_store}.
%%%
%%% An item has its id as the author chose it, and comes back as it was written; how a database has to have it is
%%% the business of the module for that database. A storage that fails ends the caller: by `exit:{aborted, _}', as
%%% Mnesia does, or by `throw:{refused, _}'.
-module(twitter_storage).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/pubsub.hrl").

-export([find/3, create/3, delete/3, purge/2, places/2, items/2, items_of/2, read/3, posts/2, write/2, delete_items/3,
         authors/1, check/1, sync/1]).
-export([serves/3, db/1, backend/1, server_host/1, failed/1]).
-export_type([place/0]).

-type place() :: {Id :: binary(), Published :: erlang:timestamp(), Changed :: erlang:timestamp()}.

%% The node of an author, and whether it is that owner's.
-callback find(Host :: binary(), twitter_nif:jid(), Owner :: jid:jid()) ->
    {ok, mod_pubsub:nodeIdx(), IsOwner :: boolean()} | none.
%% A node that holds nothing. If another process was faster, it may be that one's.
-callback create(Host :: binary(), twitter_nif:jid(), Owner :: jid:jid()) ->
    {ok, mod_pubsub:nodeIdx()} | {error, #stanza_error{}}.
%% The node goes, with all that is in it.
-callback delete(Host :: binary(), twitter_nif:jid(), mod_pubsub:nodeIdx()) -> ok | {error, #stanza_error{}}.
%% All items go.
-callback purge(Host :: binary(), mod_pubsub:nodeIdx()) -> ok.
%% When an author's posts were published, without what they say.
-callback places(Host :: binary(), twitter_nif:jid()) -> [place()].
-callback items(Host :: binary(), twitter_nif:jid()) -> [#pubsub_item{}].
-callback items_of(Host :: binary(), mod_pubsub:nodeIdx()) -> [#pubsub_item{}].
%% Those that are there, in the order of the ids.
-callback read(Host :: binary(), mod_pubsub:nodeIdx(), Ids :: [binary()]) -> [#pubsub_item{}].
-callback posts(Host :: binary(), [{twitter_nif:jid(), Id :: binary()}]) -> [{twitter_nif:jid(), #pubsub_item{}}].
%% One after the other, or all at once.
-callback write(Host :: binary(), [#pubsub_item{}]) -> ok.
-callback delete_items(Host :: binary(), mod_pubsub:nodeIdx(), Ids :: [binary()]) -> ok.
%% These are the author's posts, the newest first: for a database that keeps a list of them.
-callback listed({Host :: binary(), mod_pubsub:nodeIdx()}, Owner :: jid:jid(), Ids :: [binary()]) -> ok.
%% Of whom there is a node. Reads the whole table of nodes.
-callback authors(Host :: binary()) -> [twitter_nif:jid()].
%% Ends the caller if the storage cannot be read.
-callback check(Host :: binary()) -> ok.
%% Returns when all that was written is safe from a crash.
-callback sync(Host :: binary()) -> ok | {error, #stanza_error{}}.

%% @doc The node of an author, and whether it is that owner's.
-spec find(Host :: binary(), twitter_nif:jid(), Owner :: jid:jid()) ->
          {ok, mod_pubsub:nodeIdx(), IsOwner :: boolean()} | none.
find(Host, Author, Owner) -> (backend(db(Host))):find(Host, Author, Owner).

%% @doc Makes the node of an author.
-spec create(Host :: binary(), twitter_nif:jid(), Owner :: jid:jid()) ->
          {ok, mod_pubsub:nodeIdx()} | {error, #stanza_error{}}.
create(Host, Author, Owner) -> (backend(db(Host))):create(Host, Author, Owner).

%% @doc Deletes the node of an author, with all that is in it.
-spec delete(Host :: binary(), twitter_nif:jid(), mod_pubsub:nodeIdx()) -> ok | {error, #stanza_error{}}.
delete(Host, Author, Nidx) -> (backend(db(Host))):delete(Host, Author, Nidx).

%% @doc Deletes all items of a node.
-spec purge(Host :: binary(), mod_pubsub:nodeIdx()) -> ok.
purge(Host, Nidx) -> (backend(db(Host))):purge(Host, Nidx).

%% @doc When an author's posts were published and changed, without what they say. One query in SQL.
-spec places(Host :: binary(), twitter_nif:jid()) -> [place()].
places(Host, Author) -> (backend(db(Host))):places(Host, Author).

%% @doc All items of an author. One query in SQL.
-spec items(Host :: binary(), twitter_nif:jid()) -> [#pubsub_item{}].
items(Host, Author) -> (backend(db(Host))):items(Host, Author).

%% @doc All items of a node. One query in SQL.
-spec items_of(Host :: binary(), mod_pubsub:nodeIdx()) -> [#pubsub_item{}].
items_of(Host, Nidx) -> (backend(db(Host))):items_of(Host, Nidx).

%% @doc Some items of a node, those that are there, in the order of the ids. One query in SQL.
-spec read(Host :: binary(), mod_pubsub:nodeIdx(), Ids :: [binary()]) -> [#pubsub_item{}].
read(Host, Nidx, Ids) -> (backend(db(Host))):read(Host, Nidx, Ids).

%% @doc Some items of several authors. One query in SQL.
-spec posts(Host :: binary(), [{twitter_nif:jid(), Id :: binary()}]) -> [{twitter_nif:jid(), #pubsub_item{}}].
posts(_Host, []) -> [];
posts(Host, Wanted) -> (backend(db(Host))):posts(Host, Wanted).

%% @doc Writes items: one after the other in Mnesia, where a crash may come in between; all or none in SQL.
-spec write(Host :: binary(), [#pubsub_item{}]) -> ok.
write(Host, Items) -> (backend(db(Host))):write(Host, Items).

%% @doc Deletes some items of a node.
-spec delete_items(Host :: binary(), mod_pubsub:nodeIdx(), Ids :: [binary()]) -> ok.
delete_items(Host, Nidx, Ids) -> (backend(db(Host))):delete_items(Host, Nidx, Ids).

%% @doc Everybody of whom there is a node. Reads the whole table of nodes.
-spec authors(Host :: binary()) -> [twitter_nif:jid()].
authors(Host) -> (backend(db(Host))):authors(Host).

%% @doc Whether the storage can be read: see {@link twitter_tables}.
-spec check(Host :: binary()) -> ok.
check(Host) -> (backend(db(Host))):check(Host).

%% @doc Returns when all that was written is safe from a crash of the virtual machine.
-spec sync(Host :: binary()) -> ok | {error, #stanza_error{}}.
sync(Host) -> (backend(db(Host))):sync(Host).

%% @doc mod_pubsub has started with that database. It stays known when mod_pubsub stops: what is under way then goes
%% on where it was.
-spec serves(Host :: binary(), ServerHost :: binary(), twitter_nodes:db()) -> ok.
serves(Host, ServerHost, Db) ->
    persistent_term:put({?MODULE, Host}, {Db, ServerHost}).

%% @doc The database in which the posts of a pubsub host are.
-spec db(Host :: binary()) -> twitter_nodes:db().
db(Host) ->
    {Db, _} = persistent_term:get({?MODULE, Host}),
    Db.

%% @doc The module for a database.
-spec backend(twitter_nodes:db()) -> module().
backend(mnesia) -> twitter_mnesia_storage;
backend(sql) -> twitter_sql_storage.

%% @doc The vhost to whose pubsub host this is.
-spec server_host(Host :: binary()) -> binary().
server_host(Host) ->
    {_, ServerHost} = persistent_term:get({?MODULE, Host}),
    ServerHost.

%% @doc Notes in the log why storage failed. The error for whoever asked says no more than that it did.
-spec failed(Reason :: term()) -> #stanza_error{}.
failed(Reason) ->
    ?ERROR_MSG("Storage of posts failed: ~tP", [Reason, 12]),
    twitter_error:stanza_error(storage_failed, ejabberd_option:language()).
