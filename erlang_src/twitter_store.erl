%%% @doc Posts in ejabberd's own pubsub storage: one private node for each author, its items the
%%% posts. Reads go through mod_pubsub's tree and node actions. What writes is to be called in the
%%% author's {@link twitter_writer}.
%%%
%%% A storage that cannot be read ends the request with the error that mod_pubsub gives for it.
-module(twitter_store).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("ejabberd/include/translate.hrl").
-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/pubsub.hrl").

-export([ensure_node/2, delete_node/2, purge/2, owner/1, authors/1, places/2, versions/2, posts/2, post/3, all/2,
         sync/0]).
-export([ensure_node/3, owned_node/3, all_authors/1]).
-export([micros/1, timestamp/1]).
-export_type([post/0]).

-type post() :: #{author := twitter_nif:jid(), id := binary(), at := erlang:timestamp(),
                  payload := [xmlel()],
                  %% When it was changed last, in microseconds; not if it comes from memory.
                  changed => non_neg_integer(),
                  %% The service from which it was heard, if the author lives on another server.
                  from => binary()}.

%% @doc Makes the node that will store the posts of `Author', if there is none.
-spec ensure_node(Host :: binary(), Author :: jid:jid()) -> ok.
ensure_node(Host, Author) ->
    ensure_node(Host, Author, Author).

%% @doc The same with another owner.
-spec ensure_node(Host :: binary(), Author :: jid:jid(), Owner :: jid:jid()) -> ok.
ensure_node(Host, Author, Owner) ->
    case node_index(Host, jid:encode(Author)) of
        none ->
            create_node(Host, Author, Owner);
        Nidx ->
            case is_owner(Nidx, Owner) of
                true ->
                    ok;
                false ->
                    %% From somebody of that name whose account was deleted without us.
                    ok = delete_node(Host, Author),
                    create_node(Host, Author, Owner)
            end
    end.

%% @doc The number of the node that stores an author's posts, if it belongs to that owner.
-spec owned_node(Host :: binary(), Author :: twitter_nif:jid(), Owner :: jid:jid()) ->
          mod_pubsub:nodeIdx() | none.
owned_node(Host, Author, Owner) ->
    Nidx = node_index(Host, Author),
    case Nidx =/= none andalso is_owner(Nidx, Owner) of
        true -> Nidx;
        false -> none
    end.

%% Not by node_flat, to which a state that cannot be read is one of somebody who owns nothing.
is_owner(Nidx, Owner) ->
    case mnesia:dirty_read(pubsub_state, {jid:tolower(Owner), Nidx}) of
        [#pubsub_state{affiliation = owner}] -> true;
        _ -> false
    end.

create_node(Host, Author, Owner) ->
    Node = twitter_path:stored(jid:encode(Author)),
    Options = node_twitter:options(),
    Create = fun() ->
                     nodetree_twitter:create_node(Host, twitter_path:with_key(Node), <<"twitter">>,
                                                  Owner, Options, [twitter_path:parent()])
             end,
    case transaction(Create) of
        {ok, {ok, Nidx}} ->
            %% An index number that was in use before must bring nothing along.
            ok = clear(Host, Nidx),
            {result, _} = action(Host, create_node, [Nidx, Owner]),
            ServerHost = mod_pubsub:serverhost(Host),
            ejabberd_hooks:run(pubsub_create_node, ServerHost,
                               [ServerHost, Host, Node, Nidx, Options]);
        {ok, {error, Error}} ->
            throw({refused, Error});
        {error, Error} ->
            throw({refused, Error})
    end.

%% @doc Deletes an author's node and all that is in it.
-spec delete_node(Host :: binary(), Author :: jid:jid()) -> ok | {error, #stanza_error{}}.
delete_node(Host, Author) ->
    Name = jid:encode(Author),
    case node_index(Host, Name) of
        none -> ok;
        Nidx -> delete_node(Host, twitter_path:stored(Name), Nidx)
    end.

delete_node(Host, Node, Nidx) ->
    %% The posts first: what would be left of them would belong to the next node with this number.
    ok = clear(Host, Nidx),
    Delete = fun() -> nodetree_twitter:delete_node(Host, twitter_path:with_key(Node)) end,
    case transaction(Delete) of
        {ok, _} ->
            ServerHost = mod_pubsub:serverhost(Host),
            ejabberd_hooks:run(pubsub_delete_node, ServerHost, [ServerHost, Host, Node, Nidx]),
            %% Nobody of that name must find them after a crash.
            sync();
        {error, Error} ->
            {error, Error}
    end.

%% @doc Deletes all posts of an author. Not by mod_pubsub's own purge: that is a transaction which two
%% at once can make fail, or worse: see {@link twitter_writer}.
-spec purge(Host :: binary(), Author :: jid:jid()) -> ok.
purge(Host, Author) ->
    case node_index(Host, jid:encode(Author)) of
        none ->
            ok;
        Nidx ->
            %% A node that is left of an account of that name that is gone is not his, and empty.
            _ = [result(action(Host, purge_node, [Nidx, Author])) || is_owner(Nidx, Author)],
            %% What no state names, too.
            mnesia:sync_dirty(
              fun() ->
                      delete_items(Nidx),
                      mnesia:delete({pubsub_last_item, {Host, Nidx}})
              end)
    end.

%% The number of a node is chosen and given back in a transaction, with the lock that is needed in the
%% end taken before anybody reads under it. mod_pubsub's own way to create and delete nodes catches
%% what Mnesia throws to start a transaction again, so that two at once can end in an error. Items
%% and affiliations are not touched here: see {@link twitter_writer}.
transaction(Fun) ->
    Locked = fun() ->
                     _ = mnesia:lock({record, pubsub_index, node}, write),
                     Fun()
             end,
    case mnesia:transaction(Locked) of
        {atomic, Result} ->
            {ok, Result};
        {aborted, Reason} ->
            ?ERROR_MSG("Storage of posts failed: ~tp", [Reason]),
            {error, database_failure()}
    end.

%% Deletes all items and states that carry this number, and the last item that mod_pubsub may keep.
clear(Host, Nidx) ->
    mnesia:sync_dirty(
      fun() ->
              delete_items(Nidx),
              States = mnesia:index_read(pubsub_state, Nidx, #pubsub_state.nodeidx),
              lists:foreach(fun(#pubsub_state{stateid = Key}) -> mnesia:delete({pubsub_state, Key}) end,
                            States),
              mnesia:delete({pubsub_orphan, Nidx}),
              mnesia:delete({pubsub_last_item, {Host, Nidx}})
      end).

delete_items(Nidx) ->
    Items = mnesia:index_read(pubsub_item, Nidx, #pubsub_item.nodeidx),
    lists:foreach(fun(#pubsub_item{itemid = Key}) -> mnesia:delete({pubsub_item, Key}) end, Items).

database_failure() ->
    twitter_error:stanza_error(storage_failed, ejabberd_option:language()).

%% @doc Whose posts the node with this index stores. To be called in a pubsub transaction.
-spec owner(mod_pubsub:nodeIdx()) ->
          {ok, Host :: binary(), Author :: twitter_nif:jid()} | none.
owner(Nidx) ->
    case nodetree_twitter:get_node(Nidx) of
        #pubsub_node{nodeid = {Host, Node}} when is_binary(Host) ->
            case twitter_path:author(Node) of
                {ok, Author} -> {ok, Host, Author};
                none -> none
            end;
        _ ->
            none
    end.

%% @doc Every local user who has ever posted: what was heard of others is not for readers from elsewhere.
%% Reads the whole table of nodes.
-spec authors(Host :: binary()) -> [twitter_nif:jid()].
authors(Host) ->
    [Author || Author <- all_authors(Host), twitter_roster:is_local(twitter_roster:bare(Author))].

%% @doc Everybody of whom posts are stored.
-spec all_authors(Host :: binary()) -> [twitter_nif:jid()].
all_authors(Host) ->
    case mod_pubsub:tree_action(Host, get_subnodes, [Host, twitter_path:parent(), infinity]) of
        Nodes when is_list(Nodes) ->
            [Author || #pubsub_node{nodeid = {_, Node}} <- Nodes,
                       {ok, Author} <- [twitter_path:author(Node)]];
        {error, Error} ->
            throw({refused, Error})
    end.

%% @doc When an author's posts were published, in microseconds, with their ids.
-spec places(Host :: binary(), Author :: twitter_nif:jid()) ->
          [{Micros :: non_neg_integer(), Id :: binary()}].
places(Host, Author) ->
    [{micros(At), Id} || #pubsub_item{itemid = {Id, _}, creation = {At, _}} <- items(Host, Author)].

%% @doc When each of an author's posts was changed last, in microseconds.
-spec versions(Host :: binary(), Author :: twitter_nif:jid()) -> [{Id :: binary(), Micros :: non_neg_integer()}].
versions(Host, Author) ->
    [{Id, micros(Changed)} || #pubsub_item{itemid = {Id, _}, modification = {Changed, _}} <- items(Host, Author)].

items(Host, Author) ->
    case node_index(Host, Author) of
        none ->
            [];
        Nidx ->
            {Items, _} = result(action(Host, get_items, [Nidx, mod_pubsub:service_jid(Host), undefined])),
            [Item || Item <- Items, is_whole(Item, Author)]
    end.

%% @doc All posts of an author, with the moment of the last change of each, oldest first. Reads all of
%% them at once.
-spec all(Host :: binary(), Author :: twitter_nif:jid()) -> [{post(), Changed :: erlang:timestamp()}].
all(Host, Author) ->
    Posts = [{#{author => Author, id => Id, at => At, payload => Payload}, Changed}
             || #pubsub_item{itemid = {Id, _}, creation = {At, _}, modification = {Changed, _},
                             payload = Payload} <- items(Host, Author)],
    lists:sort(fun({#{at := One}, _}, {#{at := Other}, _}) -> One =< Other end, Posts).

%% @doc Some posts, in one go: the node of each author is looked up once, and the items are read in one
%% context. Those that are not stored are left out.
-spec posts(Host :: binary(), [{Author :: twitter_nif:jid(), Id :: binary()}]) -> [post()].
posts(Host, Wanted) ->
    Authors = lists:usort([Author || {Author, _} <- Wanted]),
    Nodes = maps:from_list([{Author, node_index(Host, Author)} || Author <- Authors]),
    mnesia:sync_dirty(
      fun() ->
              [Post || {Author, Id} <- Wanted, {ok, Post} <- [post(maps:get(Author, Nodes), Author, Id)]]
      end).

%% @doc One post of the node with this index. To be called in a pubsub transaction.
-spec post(mod_pubsub:nodeIdx() | none, Author :: twitter_nif:jid(), Id :: binary()) ->
          {ok, post()} | none.
post(none, _Author, _Id) ->
    none;
post(Nidx, Author, Id) ->
    case node_twitter:get_item(Nidx, Id) of
        {result, Item} ->
            case is_whole(Item, Author) of
                true ->
                    #pubsub_item{creation = {At, _}, modification = {Changed, _}, payload = Payload} = Item,
                    {ok, #{author => Author, id => Id, at => At, payload => Payload, changed => micros(Changed)}};
                false ->
                    none
            end;
        {error, #stanza_error{reason = 'item-not-found'}} ->
            none;
        {error, Error} ->
            throw({refused, Error})
    end.

%% Whether a record holds what we have once written. One that does not costs only itself, not the stream of
%% its author and of all his friends.
is_whole(#pubsub_item{itemid = {Id, _}, creation = {{Mega, Seconds, Micro}, _}, modification = {{_, _, _}, _},
                      payload = Payload}, Author)
  when is_binary(Id), is_integer(Mega), is_integer(Seconds), is_integer(Micro) ->
    twitter_post:is_payload(Payload) orelse left_out(Id, Author);
is_whole(#pubsub_item{itemid = ItemId}, Author) ->
    left_out(ItemId, Author).

left_out(Id, Author) ->
    ?ERROR_MSG("A post of ~ts is left out, for its record in the table pubsub_item is damaged: ~tp",
               [Author, Id]),
    false.

%% @doc Returns when all that was written is safe from a crash of the virtual machine. Mnesia keeps
%% its log in memory for up to two seconds; a post that was acknowledged must not be lost in them.
-spec sync() -> ok | {error, #stanza_error{}}.
sync() ->
    case mnesia:sync_log() of
        ok ->
            ok;
        {error, Reason} ->
            ?ERROR_MSG("The log of Mnesia cannot be written: ~tp", [Reason]),
            {error, database_failure()}
    end.

-spec node_index(binary(), twitter_nif:jid()) -> mod_pubsub:nodeIdx() | none.
node_index(Host, Author) ->
    Node = twitter_path:with_key(twitter_path:stored(Author)),
    case mod_pubsub:tree_action(Host, get_node, [Host, Node]) of
        #pubsub_node{id = Nidx} -> Nidx;
        {error, #stanza_error{reason = 'item-not-found'}} -> none;
        {error, Error} -> throw({refused, Error})
    end.

action(Host, Function, Args) ->
    mod_pubsub:node_action(Host, <<"twitter">>, Function, Args).

result({result, Result}) -> Result;
result({error, Error}) -> throw({refused, Error}).

%% @doc A moment in microseconds since 1970.
-spec micros(erlang:timestamp()) -> non_neg_integer().
micros({Mega, Seconds, Micro}) ->
    (Mega * 1_000_000 + Seconds) * 1_000_000 + Micro.

%% @doc The same moment as ejabberd's storage has it.
-spec timestamp(Micros :: non_neg_integer()) -> erlang:timestamp().
timestamp(Micros) ->
    Seconds = Micros div 1_000_000,
    {Seconds div 1_000_000, Seconds rem 1_000_000, Micros rem 1_000_000}.
