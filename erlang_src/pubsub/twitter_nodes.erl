%%% @doc What the nodes do that store posts, one for each author, whatever the database: the body of {@link
%%% node_twitter} and {@link node_twitter_sql}. What changes an author's posts changes the index and goes to the
%%% fan-out, whoever asked for it.
%%%
%%% With Mnesia a change happens in the author's {@link twitter_writer}. With SQL mod_pubsub calls from a process of
%%% ejabberd's pool, for which the writer waits that has asked for the change: so it happens there, in a transaction.
-module(twitter_nodes).

-include_lib("ejabberd/include/pubsub.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([options/0, features/0, create_node_permission/3, publish_item/5, delete_item/5, set_affiliation/4,
         forgetting/3, set_item/2, path/1, denied/1]).
-export([removed/3, expired/2, found/1, page/1]).
-export_type([db/0]).

-type db() :: mnesia | sql.
-type denied() :: {error, stanza_error()}.

%% @doc A node that only its owner can read, write and find, with the plugin or without it. The
%% limits here are out of the way: the plugin's own options are asked for each post.
-spec options() -> mod_pubsub:nodeOptions().
options() ->
    [{access_model, whitelist},
     {deliver_notifications, false},
     {deliver_payloads, true},
     {itemreply, publisher},
     {max_items, 16#7fffffff},
     {max_payload_size, 16#7fffffff},
     {notification_type, headline},
     {notify_config, false},
     {notify_delete, false},
     {notify_retract, false},
     {persist_items, true},
     {presence_based_delivery, false},
     {publish_model, publishers},
     {purge_offline, false},
     {roster_groups_allowed, []},
     {send_last_published_item, never},
     {subscribe, false}].

%% @doc What a node can do.
-spec features() -> [binary()].
features() ->
    [<<"delete-items">>, <<"item-ids">>, <<"multi-items">>, <<"persistent-items">>, <<"publish">>,
     <<"purge-nodes">>, <<"retract-items">>, <<"retrieve-items">>, <<"rsm">>].

%% @doc Nobody but an author makes his node.
-spec create_node_permission(mod_pubsub:nodeId(), Parent :: mod_pubsub:nodeId(), jid()) -> {result, boolean()}.
create_node_permission(Node, _ParentNode, Owner) ->
    {result, twitter_path:author(Node) =:= {ok, jid:encode(jid:remove_resource(Owner))}}.

%% @doc Stores a post, an edit if the author has used the id before; then it stands in the index and
%% is on its way to the author's friends.
-spec publish_item(db(), mod_pubsub:nodeIdx(), jid(), mod_pubsub:publishModel(),
                   {mod_pubsub:itemId(), mod_pubsub:payload(), mod_pubsub:pubOptions()}) ->
          {result, {default, broadcast, [mod_pubsub:itemId()]}} | denied().
publish_item(Db, Nidx, Publisher, PublishModel, {ItemId, Payload, _} = Item) ->
    writing(Db, Nidx,
            fun(#{server_host := ServerHost, host := Host} = Service, Author) ->
                    MaxPosts = mod_twitter_opt:max_posts(ServerHost),
                    Began = twitter_writer:stores(ServerHost, {Host, Author}),
                    case stored(Db, {Host, Nidx}, Publisher, PublishModel, MaxPosts, Item) of
                        {result, {default, broadcast, Removed}} = Result ->
                            {At, Version} = times(refresh(Nidx, Service, Author, ItemId)),
                            refresh_all(Nidx, Service, Author, Removed),
                            twitter_fanout:published(Service, Author, Publisher, {item, ItemId, Payload},
                                                     {Began, At, Version}),
                            Result;
                        Error ->
                            Error
                    end
            end).

stored(mnesia, {_Host, Nidx}, Publisher, PublishModel, MaxPosts, {ItemId, Payload, PubOpts}) ->
    Publish = fun() ->
                      node_flat:publish_item(Nidx, Publisher, PublishModel, MaxPosts, ItemId, Payload, PubOpts)
              end,
    twitter_mnesia_storage:locked(Nidx, Publish);
stored(sql, {Host, Nidx}, Publisher, _PublishModel, MaxPosts, {ItemId, Payload, _PubOpts}) ->
    case twitter_sql_storage:publish(Host, Nidx, Publisher, MaxPosts, {ItemId, Payload}) of
        {ok, Removed} -> {result, {default, broadcast, Removed}};
        {error, Error} -> {error, Error}
    end.

%% @doc Deletes a post.
-spec delete_item(db(), mod_pubsub:nodeIdx(), jid(), mod_pubsub:publishModel(), mod_pubsub:itemId()) ->
          {result, {default, broadcast}} | denied().
delete_item(Db, Nidx, Publisher, PublishModel, ItemId) ->
    writing(Db, Nidx,
            fun(#{host := Host} = Service, Author) ->
                    case delete_stored(Db, {Host, Nidx}, Publisher, PublishModel, ItemId) of
                        {result, _} = Result ->
                            _ = refresh(Nidx, Service, Author, ItemId),
                            twitter_fanout:retracted(Service, Author, Publisher, [ItemId]),
                            Result;
                        Error ->
                            Error
                    end
            end).

%% What a crash left in storage without the owner's state naming it is his all the same.
delete_stored(mnesia, {_Host, Nidx}, Publisher, PublishModel, ItemId) ->
    Delete = fun() -> delete_flat(Nidx, Publisher, PublishModel, ItemId) end,
    twitter_mnesia_storage:locked(Nidx, Delete);
delete_stored(sql, Node, Publisher, _PublishModel, ItemId) ->
    case twitter_sql_storage:retract(Node, Publisher, ItemId) of
        {ok, deleted} -> {result, {default, broadcast}};
        {error, Error} -> {error, Error}
    end.

delete_flat(Nidx, Publisher, PublishModel, ItemId) ->
    case node_flat:delete_item(Nidx, Publisher, PublishModel, ItemId) of
        {error, #stanza_error{reason = 'item-not-found'}} = NotFound ->
            case mnesia:read({pubsub_item, {ItemId, Nidx}}) of
                [_] ->
                    ok = mnesia:delete({pubsub_item, {ItemId, Nidx}}),
                    {result, {default, broadcast}};
                [] ->
                    NotFound
            end;
        Answer ->
            Answer
    end.

%% @doc The owner stays the only one who has anything to do with the node. mod_pubsub takes the
%% affiliation away when the account is deleted.
-spec set_affiliation(Flat :: node_flat | node_flat_sql, mod_pubsub:nodeIdx(), jid(), mod_pubsub:affiliation()) ->
          {result, ok} | denied().
set_affiliation(Flat, Nidx, Owner, none) ->
    Flat:set_affiliation(Nidx, Owner, none);
set_affiliation(_Flat, _Nidx, _Owner, _Affiliation) ->
    denied(no_configuration).

%% @doc A way into storage that tells nobody: the author's stream is loaded again.
-spec set_item(db(), mod_pubsub:pubsubItem()) -> ok.
set_item(mnesia, #pubsub_item{nodeidx = Nidx} = Item) ->
    forgetting(mnesia, Nidx, node_flat:set_item(Item));
set_item(sql, #pubsub_item{nodeidx = Nidx} = Item) ->
    {ok, Host, _Author} = owner(sql, Nidx),
    forgetting(sql, Nidx, twitter_sql_storage:write(Host, [Item])).

%% @doc Every stored node is a child of the same parent, and nobody's parent.
-spec path(mod_pubsub:nodeId()) -> {result, [mod_pubsub:nodeId()]}.
path(Node) ->
    {result, [twitter_path:parent(), Node]}.

%% @doc The same result, after the index was told that more may have changed than one post.
-spec forgetting(db(), mod_pubsub:nodeIdx(), Result) -> Result.
forgetting(Db, Nidx, Result) ->
    case owner(Db, Nidx) of
        {ok, Host, Author} -> twitter_index:forget(Host, Author);
        none -> ok
    end,
    Result.

%% @doc A refusal.
-spec denied(twitter_error:reason()) -> denied().
denied(Reason) ->
    {error, twitter_error:stanza_error(Reason, ejabberd_option:language())}.

%% With Mnesia it runs in the author's writer, in the dirty context that mod_pubsub gives these callbacks.
writing(Db, Nidx, Write) ->
    case owner(Db, Nidx) of
        {ok, Host, Author} ->
            case twitter_service:find(Host) of
                {ok, Service} -> write(Db, Service, Author, Write);
                error -> denied(not_served)
            end;
        none ->
            denied(not_found)
    end.

write(mnesia, Service, Author, Write) ->
    Dirty = fun() -> mnesia:sync_dirty(Write, [Service, Author]) end,
    twitter_writer:run(Service, Author, Dirty);
write(sql, Service, Author, Write) ->
    Write(Service, Author).

%% Whose posts the node with this index stores. To be called in a pubsub transaction.
owner(sql, Nidx) ->
    twitter_sql_storage:author(Nidx);
owner(mnesia, Nidx) ->
    twitter_mnesia_storage:author(Nidx).

refresh_all(Nidx, Service, Author, ItemIds) ->
    lists:foreach(fun(ItemId) -> _ = refresh(Nidx, Service, Author, ItemId) end, ItemIds).

refresh(Nidx, #{host := Host} = Service, Author, ItemId) ->
    Read = fun() -> twitter_store:post(Host, Nidx, Author, ItemId) end,
    twitter_index:refresh(Service, Author, ItemId, Read).

%% When it was published, and changed last.
times({ok, #{at := At, changed := Changed}}) -> {twitter_store:micros(At), Changed};
%% One that cannot be read again is shown to nobody who comes later.
times(none) -> {0, 0}.

%%% Items as node_flat_sql has them

%% @doc Removes items, of those that node_flat_sql names or the caller does.
-spec removed(mod_pubsub:nodeIdx(), unlimited | non_neg_integer(), all | [mod_pubsub:itemId()]) ->
          {result, {[mod_pubsub:itemId()], [mod_pubsub:itemId()]}}.
removed(Nidx, MaxItems, ItemIds) ->
    {result, {Kept, Gone}} =
        case ItemIds of
            all -> node_flat_sql:remove_extra_items(Nidx, MaxItems);
            _ -> node_flat_sql:remove_extra_items(Nidx, MaxItems, [twitter_sql_text:item(Id) || Id <- ItemIds])
        end,
    {result, {ids(Kept), ids(Gone)}}.

%% @doc The items that were older than that, which node_flat_sql has removed.
-spec expired(mod_pubsub:nodeIdx(), infinity | non_neg_integer()) -> {result, [mod_pubsub:itemId()]}.
expired(Nidx, Seconds) ->
    {result, Gone} = node_flat_sql:remove_expired_items(Nidx, Seconds),
    {result, ids(Gone)}.

%% @doc The answer with the ids that authors chose.
-spec found(Answer) -> Answer.
found({result, Found}) -> {result, found(Found)};
found({error, Error}) -> {error, Error};
found(#pubsub_item{itemid = {Stored, Nidx}} = Item) ->
    case twitter_sql_text:id(Stored) of
        {ok, Id} -> Item#pubsub_item{itemid = {Id, Nidx}};
        none -> Item
    end;
found(#pubsub_state{items = Ids} = State) -> State#pubsub_state{items = ids(Ids)};
found({Items, Rsm}) when is_list(Items) -> {found(Items), Rsm};
found(List) -> [found(One) || One <- List].

ids(Stored) ->
    [Id || One <- Stored, {ok, Id} <- [twitter_sql_text:id(One)]].

%% @doc Whether node_flat_sql can be asked for this page: some versions of it put into the query whatever is no
%% time there.
-spec page(undefined | rsm_set()) -> ok | denied().
page(undefined) ->
    ok;
page(#rsm_set{'after' = After, before = Before}) ->
    case lists:all(fun is_time/1, [After, Before]) of
        true -> ok;
        false -> denied(bad_request)
    end.

is_time(undefined) -> true;
is_time(<<>>) -> true;
is_time(Text) ->
    try xmpp_util:decode_timestamp(Text) of
        {_, _, _} -> true
    catch
        error:_ -> false
    end.
