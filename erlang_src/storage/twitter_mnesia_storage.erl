%%% @doc Posts in the Mnesia tables of mod_pubsub: see {@link twitter_storage}.
-module(twitter_mnesia_storage).
-behaviour(twitter_storage).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/pubsub.hrl").

-export([find/3, create/3, delete/3, purge/2, places/2, items/2, items_of/2, read/3, posts/2, write/2, delete_items/3,
         listed/3, authors/1, check/1, sync/1]).
-export([author/1, locked/2, sync/0]).

%% @private
-spec find(binary(), twitter_nif:jid(), jid:jid()) -> {ok, mod_pubsub:nodeIdx(), boolean()} | none.
find(Host, Author, Owner) ->
    case number(Host, Author) of
        none -> none;
        Nidx -> {ok, Nidx, is_owner(Nidx, Owner)}
    end.

number(Host, Author) ->
    Node = twitter_path:with_key(twitter_path:stored(Author)),
    %% Not by mod_pubsub, which may have its nodes elsewhere: posts are being moved then.
    case mnesia:sync_dirty(fun() -> nodetree_twitter:get_node(Host, Node) end) of
        #pubsub_node{id = Nidx} -> Nidx;
        {error, #stanza_error{reason = 'item-not-found'}} -> none;
        {error, Error} -> throw({refused, Error})
    end.

%% The number under which an author's posts lie, if it is his. It may be somebody else's: `ejabberdctl restore' brings
%% back nodes, but not whose they are, and the number of one that was deleted is that of another one soon.
node_index(Host, Author) ->
    Nidx = number(Host, Author),
    case Nidx =/= none andalso is_owned(Host, Author, Nidx) of
        true -> Nidx;
        false -> none
    end.

%% By the author, or by the service if he lives elsewhere.
is_owned(Host, Author, Nidx) ->
    is_owner(Nidx, twitter_roster:bare(Author)) orelse is_owner(Nidx, mod_pubsub:service_jid(Host)).

%% @doc Whose posts lie under this number.
-spec author(mod_pubsub:nodeIdx()) -> {ok, Host :: binary(), twitter_nif:jid()} | none.
author(Nidx) ->
    case [{Host, Author} || #pubsub_node{nodeid = {Host, Node}} <- rows(Nidx), is_binary(Host),
                            {ok, Author} <- [twitter_path:author(Node)], is_owned(Host, Author, Nidx)] of
        [{Host, Author}] -> {ok, Host, Author};
        [] -> none
    end.

rows(Nidx) ->
    mnesia:dirty_index_read(pubsub_node, Nidx, #pubsub_node.id).

%% Not by node_flat, to which a state that cannot be read is one of somebody who owns nothing.
is_owner(Nidx, Owner) ->
    case mnesia:dirty_read(pubsub_state, {jid:tolower(Owner), Nidx}) of
        [#pubsub_state{affiliation = owner}] -> true;
        _ -> false
    end.

%% @private
-spec create(binary(), twitter_nif:jid(), jid:jid()) -> {ok, mod_pubsub:nodeIdx()} | {error, #stanza_error{}}.
create(Host, Author, Owner) ->
    Node = twitter_path:with_key(twitter_path:stored(Author)),
    Create = fun() ->
                     nodetree_twitter:create_node(Host, Node, <<"twitter">>, Owner, node_twitter:options(),
                                                  [twitter_path:parent()])
             end,
    case transaction(Create) of
        {ok, {ok, Nidx}} ->
            %% An index number that was in use before must bring nothing along.
            ok = clear(Host, Nidx),
            {result, _} = locked(Nidx, fun() -> node_twitter:create_node(Nidx, Owner) end),
            {ok, Nidx};
        {ok, {error, Error}} ->
            {error, Error};
        {error, Error} ->
            {error, Error}
    end.

%% @private
-spec delete(binary(), twitter_nif:jid(), mod_pubsub:nodeIdx()) -> ok | {error, #stanza_error{}}.
delete(Host, Author, Nidx) ->
    IsAlone = length(rows(Nidx)) =< 1,
    IsOwned = is_owned(Host, Author, Nidx),
    %% The posts first: what would be left of them would belong to the next node with this number.
    _ = [ok = clear(Host, Nidx) || IsAlone orelse IsOwned],
    %% A number that was not this node's may have been given back before. Twice would make two nodes of one.
    case transaction(fun() -> delete_row(Host, twitter_path:stored(Author), IsAlone andalso IsOwned) end) of
        {ok, _} -> ok;
        {error, Error} -> {error, Error}
    end.

delete_row(Host, Node, true) -> nodetree_twitter:delete_node(Host, twitter_path:with_key(Node));
delete_row(Host, Node, false) -> mnesia:delete({pubsub_node, {Host, Node}}).

%% The number of a node is chosen and given back in a transaction, with the lock that is needed in the
%% end taken before anybody reads under it. mod_pubsub's own way to create and delete nodes catches
%% what Mnesia throws to start a transaction again, so that two at once can end in an error. Items
%% and affiliations are not touched here: see {@link twitter_writer}.
transaction(Fun) ->
    Locked = fun() ->
                     _ = mnesia:lock({record, pubsub_index, node}, write),
                     Fun()
             end,
    %% Other nodes of a cluster have it too when this returns.
    case mnesia:sync_transaction(Locked) of
        {atomic, Result} -> {ok, Result};
        {aborted, Reason} -> {error, twitter_storage:failed(Reason)}
    end.

%% Deletes all items and states that carry this number, and the last item that mod_pubsub may keep.
clear(Host, Nidx) ->
    locked(
      Nidx,
      fun() ->
              delete_all(Nidx),
              States = mnesia:index_read(pubsub_state, Nidx, #pubsub_state.nodeidx),
              lists:foreach(fun(#pubsub_state{stateid = Key}) -> mnesia:delete({pubsub_state, Key}) end,
                            States),
              mnesia:delete({pubsub_orphan, Nidx}),
              mnesia:delete({pubsub_last_item, {Host, Nidx}})
      end).

delete_all(Nidx) ->
    Items = mnesia:index_read(pubsub_item, Nidx, #pubsub_item.nodeidx),
    lists:foreach(fun(#pubsub_item{itemid = Key}) -> mnesia:delete({pubsub_item, Key}) end, Items).

%% @private
-spec purge(binary(), mod_pubsub:nodeIdx()) -> ok.
purge(Host, Nidx) ->
    locked(
      Nidx,
      fun() ->
              %% What no state names, too.
              delete_all(Nidx),
              States = mnesia:index_read(pubsub_state, Nidx, #pubsub_state.nodeidx),
              lists:foreach(fun(State) -> mnesia:write(State#pubsub_state{items = []}) end, States),
              mnesia:delete({pubsub_last_item, {Host, Nidx}})
      end).

%% @private
-spec places(binary(), twitter_nif:jid()) -> [twitter_storage:place()].
places(Host, Author) ->
    [place(Item) || Item <- items(Host, Author), twitter_store:is_whole(Item, Author)].

place(#pubsub_item{itemid = {Id, _}, creation = {At, _}, modification = {Changed, _}}) ->
    {Id, At, Changed}.

%% @private
-spec items(binary(), twitter_nif:jid()) -> [#pubsub_item{}].
items(Host, Author) ->
    case node_index(Host, Author) of
        none -> [];
        Nidx -> items_of(Host, Nidx)
    end.

%% @private
-spec items_of(binary(), mod_pubsub:nodeIdx()) -> [#pubsub_item{}].
items_of(_Host, Nidx) ->
    mnesia:sync_dirty(fun() -> mnesia:index_read(pubsub_item, Nidx, #pubsub_item.nodeidx) end).

%% @private
-spec read(binary(), mod_pubsub:nodeIdx(), [binary()]) -> [#pubsub_item{}].
read(_Host, Nidx, Ids) ->
    mnesia:sync_dirty(fun() -> [Item || Id <- Ids, Item <- mnesia:read({pubsub_item, {Id, Nidx}})] end).

%% The node of each author is looked up once, and the items are read in one context.
%% @private
-spec posts(binary(), [{twitter_nif:jid(), binary()}]) -> [{twitter_nif:jid(), #pubsub_item{}}].
posts(Host, Wanted) ->
    Authors = lists:usort([Author || {Author, _} <- Wanted]),
    Nodes = maps:from_list([{Author, node_index(Host, Author)} || Author <- Authors]),
    mnesia:sync_dirty(
      fun() ->
              [{Author, Item} || {Author, Id} <- Wanted,
                                 Item <- mnesia:read({pubsub_item, {Id, maps:get(Author, Nodes)}})]
      end).

%% @private
-spec write(binary(), [#pubsub_item{}]) -> ok.
write(_Host, Items) ->
    lists:foreach(fun(#pubsub_item{nodeidx = Nidx} = Item) -> locked(Nidx, fun() -> mnesia:write(Item) end) end,
                  Items).

%% @private
-spec delete_items(binary(), mod_pubsub:nodeIdx(), [binary()]) -> ok.
delete_items(_Host, Nidx, Ids) ->
    locked(Nidx, fun() -> lists:foreach(fun(Id) -> mnesia:delete({pubsub_item, {Id, Nidx}}) end, Ids) end).

%% @private
-spec listed({binary(), mod_pubsub:nodeIdx()}, jid:jid(), [binary()]) -> ok.
listed({_Host, Nidx}, Owner, Ids) ->
    locked(
      Nidx,
      fun() ->
              State = node_flat:get_state(Nidx, jid:tolower(Owner)),
              mnesia:write(State#pubsub_state{affiliation = owner, items = Ids})
      end).

%% @doc Changes what is stored under this number, by dirty writes, and returns or raises what the function does. Cost in a
%% cluster, beside the writes: two round trips to each node.
%%
%% While Mnesia copies a table to a node that joins it waits for those who hold a lock in it, and lets transactions
%% wait. Dirty writes that are under way just then can be missing in the copy for good, though all nodes have answered. So
%% they happen under locks here: on records that nobody has, for there are people in the table who must not have to wait
%% for one (see {@link twitter_writer}).
-spec locked(mod_pubsub:nodeIdx(), fun(() -> Result)) -> Result.
locked(Nidx, Change) ->
    case mnesia:system_info(db_nodes) of
        [_] -> mnesia:sync_dirty(Change);
        _ -> locked_on_all(Nidx, Change)
    end.

%% Dirty writes in a transaction are none any more, so the locks are another process's.
locked_on_all(Nidx, Change) ->
    Writer = self(),
    {Holder, Monitor} = spawn_monitor(fun() -> hold(Nidx, Writer) end),
    receive
        {Holder, held} -> ok;
        {'DOWN', Monitor, process, Holder, Reason} -> exit({aborted, Reason})
    end,
    try
        mnesia:sync_dirty(Change)
    after
        Holder ! release,
        demonitor(Monitor, [flush])
    end.

hold(Nidx, Writer) ->
    Monitor = monitor(process, Writer),
    Hold = fun() ->
                   Lock = fun(Table) -> mnesia:lock({record, Table, {?MODULE, Nidx}}, write) end,
                   ok = lists:foreach(Lock, [pubsub_item, pubsub_state]),
                   Writer ! {self(), held},
                   receive
                       release -> ok;
                       {'DOWN', Monitor, process, Writer, _} -> ok
                   end
           end,
    {atomic, ok} = mnesia:transaction(Hold).

%% @private
-spec authors(binary()) -> [twitter_nif:jid()].
authors(Host) ->
    Nodes = mnesia:sync_dirty(fun() -> nodetree_twitter:get_subnodes(Host, twitter_path:parent(), infinity) end),
    [Author || #pubsub_node{nodeid = {_, Node}} <- Nodes, {ok, Author} <- [twitter_path:author(Node)]].

%% @private
-spec check(binary()) -> ok.
check(_Host) ->
    twitter_tables:check_pubsub().

%% @private
-spec sync(binary()) -> ok | {error, #stanza_error{}}.
sync(_Host) ->
    sync().

%% @doc Writes the log of Mnesia, which keeps it in memory for up to two seconds; and what dets holds back for up to
%% three: Mnesia deletes its log as soon as dets was given what stands in it.
-spec sync() -> ok | {error, #stanza_error{}}.
sync() ->
    case mnesia:sync_log() of
        ok ->
            lists:foreach(fun flush/1, [pubsub_item, private_storage]);
        {error, Reason} ->
            ?ERROR_MSG("The log of Mnesia cannot be written: ~tp", [Reason]),
            {error, twitter_error:stanza_error(storage_failed, ejabberd_option:language())}
    end.

%% To count its objects dets writes them all. That costs a hundredth of a millisecond, dets:sync/1 several times as
%% much as the log, and the more the larger the file is.
flush(Table) ->
    _ = dets:info(Table, size),
    ok.
