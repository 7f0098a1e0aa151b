%%% @doc The behaviour of the nodes that store posts in Mnesia. mod_pubsub finds it by the type of the node. What
%%% is done is in {@link twitter_nodes}; persistence is that of `node_flat'.
%%%
%%% Some of these functions run in Mnesia transactions that can run twice: `create_node',
%%% `delete_node', `purge_node'. Those leave the index alone; it is told after the commit.
-module(node_twitter).
-behaviour(gen_pubsub_node).

-include_lib("ejabberd/include/pubsub.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([init/3, terminate/2, options/0, features/0, create_node_permission/6, create_node/2,
         delete_node/1, purge_node/2, subscribe_node/8, unsubscribe_node/4, publish_item/7,
         delete_item/4, remove_extra_items/2, remove_extra_items/3, remove_expired_items/2,
         get_node_affiliations/1, get_entity_affiliations/2, get_affiliation/2, set_affiliation/3,
         get_node_subscriptions/1, get_entity_subscriptions/2, get_subscriptions/2,
         set_subscriptions/4, get_pending_nodes/2, get_states/1, get_state/2, set_state/1,
         get_items/7, get_items/3, get_last_items/3, get_only_item/2, get_item/7, get_item/2,
         set_item/1, get_item_name/3, node_to_path/1, path_to_node/1]).

-type denied() :: {error, stanza_error()}.

-spec init(binary(), binary(), Opts :: term()) -> ok.
init(Host, ServerHost, Opts) ->
    node_flat:init(Host, ServerHost, Opts).

-spec terminate(mod_pubsub:host(), binary()) -> ok.
terminate(Host, ServerHost) ->
    node_flat:terminate(Host, ServerHost).

-spec options() -> mod_pubsub:nodeOptions().
options() ->
    twitter_nodes:options().

-spec features() -> [binary()].
features() ->
    twitter_nodes:features().

-spec create_node_permission(mod_pubsub:host(), binary(), mod_pubsub:nodeId(),
                             mod_pubsub:nodeId(), jid(), atom()) -> {result, boolean()}.
create_node_permission(_Host, _ServerHost, Node, ParentNode, Owner, _Access) ->
    twitter_nodes:create_node_permission(Node, ParentNode, Owner).

-spec create_node(mod_pubsub:nodeIdx(), jid()) -> {result, {default, broadcast}}.
create_node(Nidx, Owner) ->
    node_flat:create_node(Nidx, Owner).

-spec delete_node([mod_pubsub:pubsubNode(), ...]) ->
          {result, {default, broadcast,
                    [{mod_pubsub:pubsubNode(),
                      [{jid:ljid(), [{mod_pubsub:subscription(), mod_pubsub:subId()}]}, ...]}, ...]}}.
delete_node(Nodes) ->
    node_flat:delete_node(Nodes).

-spec purge_node(mod_pubsub:nodeIdx(), jid()) -> {result, {default, broadcast}} | denied().
purge_node(Nidx, Owner) ->
    node_flat:purge_node(Nidx, Owner).

%% @doc Nobody subscribes to storage.
-spec subscribe_node(mod_pubsub:nodeIdx(), jid(), jid(), mod_pubsub:accessModel(),
                     never | on_sub | on_sub_and_presence, boolean(), boolean(),
                     mod_pubsub:subOptions()) -> denied().
subscribe_node(_Nidx, _Sender, _Subscriber, _AccessModel, _SendLast, _PresenceSubscription,
               _RosterGroup, _Options) ->
    twitter_nodes:denied(no_subscriptions).

-spec unsubscribe_node(mod_pubsub:nodeIdx(), jid(), jid(), mod_pubsub:subId()) -> denied().
unsubscribe_node(_Nidx, _Sender, _Subscriber, _SubId) ->
    twitter_nodes:denied(no_subscriptions).

-spec publish_item(mod_pubsub:nodeIdx(), jid(), mod_pubsub:publishModel(), non_neg_integer(),
                   mod_pubsub:itemId(), mod_pubsub:payload(), mod_pubsub:pubOptions()) ->
          {result, {default, broadcast, [mod_pubsub:itemId()]}} | denied().
publish_item(Nidx, Publisher, PublishModel, _MaxItems, ItemId, Payload, PubOpts) ->
    twitter_nodes:publish_item(mnesia, Nidx, Publisher, PublishModel, {ItemId, Payload, PubOpts}).

-spec delete_item(mod_pubsub:nodeIdx(), jid(), mod_pubsub:publishModel(), mod_pubsub:itemId()) ->
          {result, {default, broadcast}} | denied().
delete_item(Nidx, Publisher, PublishModel, ItemId) ->
    twitter_nodes:delete_item(mnesia, Nidx, Publisher, PublishModel, ItemId).

-spec remove_extra_items(mod_pubsub:nodeIdx(), unlimited | non_neg_integer()) ->
          {result, {[mod_pubsub:itemId()], [mod_pubsub:itemId()]}}.
remove_extra_items(Nidx, MaxItems) ->
    twitter_nodes:forgetting(mnesia, Nidx, node_flat:remove_extra_items(Nidx, MaxItems)).

-spec remove_extra_items(mod_pubsub:nodeIdx(), unlimited | non_neg_integer(),
                         [mod_pubsub:itemId()]) ->
          {result, {[mod_pubsub:itemId()], [mod_pubsub:itemId()]}}.
remove_extra_items(Nidx, MaxItems, ItemIds) ->
    twitter_nodes:forgetting(mnesia, Nidx, node_flat:remove_extra_items(Nidx, MaxItems, ItemIds)).

-spec remove_expired_items(mod_pubsub:nodeIdx(), infinity | non_neg_integer()) ->
          {result, [mod_pubsub:itemId()]}.
remove_expired_items(Nidx, Seconds) ->
    twitter_nodes:forgetting(mnesia, Nidx, node_flat:remove_expired_items(Nidx, Seconds)).

-spec get_node_affiliations(mod_pubsub:nodeIdx()) ->
          {result, [{jid:ljid(), mod_pubsub:affiliation()}]}.
get_node_affiliations(Nidx) ->
    node_flat:get_node_affiliations(Nidx).

-spec get_entity_affiliations(mod_pubsub:host(), jid()) ->
          {result, [{mod_pubsub:pubsubNode(), mod_pubsub:affiliation()}]}.
get_entity_affiliations(Host, Owner) ->
    node_flat:get_entity_affiliations(Host, Owner).

-spec get_affiliation(mod_pubsub:nodeIdx(), jid()) -> {result, mod_pubsub:affiliation()}.
get_affiliation(Nidx, Owner) ->
    node_flat:get_affiliation(Nidx, Owner).

-spec set_affiliation(mod_pubsub:nodeIdx(), jid(), mod_pubsub:affiliation()) ->
          {result, ok} | denied().
set_affiliation(Nidx, Owner, Affiliation) ->
    twitter_nodes:set_affiliation(node_flat, Nidx, Owner, Affiliation).

-spec get_node_subscriptions(mod_pubsub:nodeIdx()) ->
          {result, [{jid:ljid(), mod_pubsub:subscription(), mod_pubsub:subId()}]}.
get_node_subscriptions(Nidx) ->
    node_flat:get_node_subscriptions(Nidx).

-spec get_entity_subscriptions(mod_pubsub:host(), jid()) ->
          {result, [{mod_pubsub:pubsubNode(), mod_pubsub:subscription(), mod_pubsub:subId(),
                     jid:ljid()}]}.
get_entity_subscriptions(Host, Owner) ->
    node_flat:get_entity_subscriptions(Host, Owner).

-spec get_subscriptions(mod_pubsub:nodeIdx(), jid()) ->
          {result, [{mod_pubsub:subscription(), mod_pubsub:subId()}]}.
get_subscriptions(Nidx, Owner) ->
    node_flat:get_subscriptions(Nidx, Owner).

-spec set_subscriptions(mod_pubsub:nodeIdx(), jid(), mod_pubsub:subscription(),
                        mod_pubsub:subId()) -> denied().
set_subscriptions(_Nidx, _Owner, _Subscription, _SubId) ->
    twitter_nodes:denied(no_subscriptions).

-spec get_pending_nodes(mod_pubsub:host(), jid()) -> {result, [mod_pubsub:nodeId()]}.
get_pending_nodes(Host, Owner) ->
    node_flat:get_pending_nodes(Host, Owner).

-spec get_states(mod_pubsub:nodeIdx()) -> {result, [mod_pubsub:pubsubState()]}.
get_states(Nidx) ->
    node_flat:get_states(Nidx).

-spec get_state(mod_pubsub:nodeIdx(), jid:ljid()) -> mod_pubsub:pubsubState().
get_state(Nidx, Key) ->
    node_flat:get_state(Nidx, Key).

-spec set_state(mod_pubsub:pubsubState()) -> ok | denied().
set_state(State) ->
    node_flat:set_state(State).

-spec get_items(mod_pubsub:nodeIdx(), jid(), mod_pubsub:accessModel(), boolean(), boolean(),
                binary(), undefined | rsm_set()) ->
          {result, {[mod_pubsub:pubsubItem()], undefined | rsm_set()}} | denied().
get_items(Nidx, From, AccessModel, PresenceSubscription, RosterGroup, SubId, RSM) ->
    node_flat:get_items(Nidx, From, AccessModel, PresenceSubscription, RosterGroup, SubId, RSM).

-spec get_items(mod_pubsub:nodeIdx(), jid(), undefined | rsm_set()) ->
          {result, {[mod_pubsub:pubsubItem()], undefined | rsm_set()}}.
get_items(Nidx, From, RSM) ->
    node_flat:get_items(Nidx, From, RSM).

-spec get_last_items(mod_pubsub:nodeIdx(), jid(), Count :: term()) ->
          {result, [mod_pubsub:pubsubItem()]}.
get_last_items(Nidx, From, Count) ->
    node_flat:get_last_items(Nidx, From, Count).

-spec get_only_item(mod_pubsub:nodeIdx(), jid()) -> {result, [mod_pubsub:pubsubItem()]}.
get_only_item(Nidx, From) ->
    node_flat:get_only_item(Nidx, From).

-spec get_item(mod_pubsub:nodeIdx(), mod_pubsub:itemId(), jid(), mod_pubsub:accessModel(),
               boolean(), boolean(), mod_pubsub:subId()) ->
          {result, mod_pubsub:pubsubItem()} | denied().
get_item(Nidx, ItemId, From, AccessModel, PresenceSubscription, RosterGroup, SubId) ->
    node_flat:get_item(Nidx, ItemId, From, AccessModel, PresenceSubscription, RosterGroup, SubId).

-spec get_item(mod_pubsub:nodeIdx(), mod_pubsub:itemId()) ->
          {result, mod_pubsub:pubsubItem()} | denied().
get_item(Nidx, ItemId) ->
    node_flat:get_item(Nidx, ItemId).

-spec set_item(mod_pubsub:pubsubItem()) -> ok.
set_item(Item) ->
    twitter_nodes:set_item(mnesia, Item).

-spec get_item_name(mod_pubsub:host(), binary(), mod_pubsub:nodeId()) ->
          {result, mod_pubsub:itemId()}.
get_item_name(Host, Node, ItemId) ->
    node_flat:get_item_name(Host, Node, ItemId).

-spec node_to_path(mod_pubsub:nodeId()) -> {result, [mod_pubsub:nodeId()]}.
node_to_path(Node) ->
    twitter_nodes:path(Node).

-spec path_to_node([mod_pubsub:nodeId()]) -> {result, mod_pubsub:nodeId()}.
path_to_node(Path) ->
    {result, lists:last(Path)}.
