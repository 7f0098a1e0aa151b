%%% @doc Posts in ejabberd's own pubsub storage: one private node for each author, its items the
%%% posts. Reads go through mod_pubsub's tree and node actions; nodes are made and deleted in
%%% transactions of Mnesia.
%%%
%%% A storage that cannot be read ends the request with the error that mod_pubsub gives for it.
-module(twitter_store).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("ejabberd/include/translate.hrl").
-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/pubsub.hrl").

-export([ensure_node/2, delete_node/2, owner/1, authors/1, places/2, post/3, stamp/2, sync/0]).
-export_type([post/0]).

-type post() :: #{author := twitter_nif:jid(), id := binary(), at := erlang:timestamp(),
                  payload := [xmlel()]}.

%% @doc Makes the node that will store the posts of `Author', if there is none.
-spec ensure_node(Host :: binary(), Author :: jid:jid()) -> ok.
ensure_node(Host, Author) ->
    Name = jid:encode(Author),
    case node_index(Host, Name) of
        none -> create_node(Host, Author, twitter_path:stored(Name));
        _Nidx -> ok
    end.

create_node(Host, Author, Node) ->
    Create = fun() ->
                     %% The lock that is needed in the end, before anybody reads under it.
                     _ = mnesia:lock({record, pubsub_index, node}, write),
                     Options = node_twitter:options(),
                     case nodetree_twitter:create_node(Host, Node, <<"twitter">>, Author, Options,
                                                       [twitter_path:id(root)]) of
                         {ok, Nidx} ->
                             {result, _} = node_twitter:create_node(Nidx, Author),
                             {created, Nidx};
                         {error, #stanza_error{reason = conflict}} ->
                             %% Another client of the author was faster.
                             exists
                     end
             end,
    case transaction(Create) of
        {ok, {created, Nidx}} ->
            ServerHost = mod_pubsub:serverhost(Host),
            ejabberd_hooks:run(pubsub_create_node, ServerHost,
                               [ServerHost, Host, Node, Nidx, node_twitter:options()]);
        {ok, exists} ->
            ok;
        {error, Error} ->
            throw({refused, Error})
    end.

%% @doc Deletes an author's node and all that is in it.
-spec delete_node(Host :: binary(), Author :: jid:jid()) -> ok | {error, #stanza_error{}}.
delete_node(Host, Author) ->
    Node = twitter_path:stored(jid:encode(Author)),
    Delete = fun() ->
                     _ = mnesia:lock({record, pubsub_index, node}, write),
                     case nodetree_twitter:get_node(Host, Node) of
                         #pubsub_node{id = Nidx} ->
                             Removed = nodetree_twitter:delete_node(Host, Node),
                             {result, _} = node_twitter:delete_node(Removed),
                             {deleted, Nidx};
                         {error, #stanza_error{reason = 'item-not-found'}} ->
                             none
                     end
             end,
    case transaction(Delete) of
        {ok, {deleted, Nidx}} ->
            ServerHost = mod_pubsub:serverhost(Host),
            ejabberd_hooks:run(pubsub_delete_node, ServerHost, [ServerHost, Host, Node, Nidx]);
        {ok, none} ->
            ok;
        {error, Error} ->
            {error, Error}
    end.

%% mod_pubsub's own way to create and delete nodes catches what Mnesia throws to start a transaction
%% again, so that two at once can end in a deadlock that is an error for one of them.
transaction(Fun) ->
    case mnesia:transaction(Fun) of
        {atomic, Result} ->
            {ok, Result};
        {aborted, Reason} ->
            ?ERROR_MSG("Storage of posts failed: ~tp", [Reason]),
            Lang = ejabberd_option:language(),
            {error, xmpp:err_internal_server_error(?T("Database failure"), Lang)}
    end.

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

%% @doc Everybody who has ever posted. Reads the whole table of nodes.
-spec authors(Host :: binary()) -> [twitter_nif:jid()].
authors(Host) ->
    Root = twitter_path:id(root),
    case mod_pubsub:tree_action(Host, get_subnodes, [Host, Root, infinity]) of
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
    case node_index(Host, Author) of
        none ->
            [];
        Nidx ->
            Args = [Nidx, mod_pubsub:service_jid(Host), undefined],
            {Items, _} = result(mod_pubsub:node_action(Host, <<"twitter">>, get_items, Args)),
            [{micros(At), Id} || #pubsub_item{itemid = {Id, _}, creation = {At, _}} <- Items]
    end.

%% @doc One post.
-spec post(Host :: binary(), Author :: twitter_nif:jid(), Id :: binary()) -> {ok, post()} | none.
post(Host, Author, Id) ->
    case node_index(Host, Author) of
        none ->
            none;
        Nidx ->
            case mod_pubsub:node_action(Host, <<"twitter">>, get_item, [Nidx, Id]) of
                {error, #stanza_error{reason = 'item-not-found'}} ->
                    none;
                Found ->
                    #pubsub_item{creation = {At, _}, payload = Payload} = result(Found),
                    {ok, #{author => Author, id => Id, at => At, payload => Payload}}
            end
    end.

%% @doc When a stored item was first published, in microseconds. To be called in a transaction.
-spec stamp(mod_pubsub:nodeIdx(), Id :: binary()) -> {ok, non_neg_integer()} | none.
stamp(Nidx, Id) ->
    case node_twitter:get_item(Nidx, Id) of
        {result, #pubsub_item{creation = {At, _}}} -> {ok, micros(At)};
        {error, _} -> none
    end.

%% @doc Returns when all that was written is safe from a crash of the virtual machine. Mnesia keeps
%% its log in memory for up to two seconds; a post that was acknowledged must not be lost in them.
-spec sync() -> ok | {error, term()}.
sync() ->
    mnesia:sync_log().

-spec node_index(binary(), twitter_nif:jid()) -> mod_pubsub:nodeIdx() | none.
node_index(Host, Author) ->
    case mod_pubsub:tree_action(Host, get_node, [Host, twitter_path:stored(Author)]) of
        #pubsub_node{id = Nidx} -> Nidx;
        {error, #stanza_error{reason = 'item-not-found'}} -> none;
        {error, Error} -> throw({refused, Error})
    end.

result({result, Result}) -> Result;
result({error, Error}) -> throw({refused, Error}).

-spec micros(erlang:timestamp()) -> non_neg_integer().
micros({Mega, Seconds, Micro}) ->
    (Mega * 1_000_000 + Seconds) * 1_000_000 + Micro.
