%%% @doc The tree of pubsub nodes with `/twitter' in it, in Mnesia. mod_pubsub finds it by its name, from the
%%% setting `nodetree: twitter'. What is done is in {@link twitter_tree}.
-module(nodetree_twitter).
-behaviour(gen_pubsub_nodetree).

-include_lib("ejabberd/include/pubsub.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([init/3, terminate/2, options/0, set_node/1, get_node/3, get_node/2, get_node/1,
         get_nodes/2, get_nodes/1, get_all_nodes/1, get_parentnodes/3, get_parentnodes_tree/3,
         get_subnodes/3, get_subnodes_tree/3, create_node/6, delete_node/2]).

-spec init(mod_pubsub:host(), binary(), Opts :: term()) -> ok.
init(Host, ServerHost, Opts) ->
    twitter_tree:init(mnesia, Host, ServerHost, Opts).

-spec terminate(mod_pubsub:host(), binary()) -> ok.
terminate(Host, ServerHost) ->
    twitter_tree:terminate(mnesia, Host, ServerHost).

-spec options() -> mod_pubsub:nodeOptions().
options() ->
    nodetree_tree:options().

-spec set_node(mod_pubsub:pubsubNode()) ->
          ok | {result, mod_pubsub:nodeIdx()} | {error, stanza_error()}.
set_node(Node) ->
    twitter_tree:set_node(mnesia, Node).

-spec get_node(mod_pubsub:host(), mod_pubsub:nodeId(), jid:jid()) ->
          mod_pubsub:pubsubNode() | {error, stanza_error()}.
get_node(Host, Node, _From) ->
    get_node(Host, Node).

-spec get_node(mod_pubsub:host(), mod_pubsub:nodeId()) ->
          mod_pubsub:pubsubNode() | {error, stanza_error()}.
get_node(Host, Node) ->
    twitter_tree:get_node(mnesia, Host, Node).

-spec get_node(mod_pubsub:nodeIdx()) -> mod_pubsub:pubsubNode() | {error, stanza_error()}.
get_node(Nidx) ->
    twitter_tree:get_node(mnesia, Nidx).

-spec get_nodes(mod_pubsub:host(), non_neg_integer() | infinity) -> [mod_pubsub:pubsubNode()].
get_nodes(Host, Limit) ->
    twitter_tree:get_nodes(mnesia, {get_nodes, [Host, Limit]}).

-spec get_nodes(mod_pubsub:host()) -> [mod_pubsub:pubsubNode()].
get_nodes(Host) ->
    twitter_tree:get_nodes(mnesia, {get_nodes, [Host]}).

-spec get_all_nodes(mod_pubsub:host()) -> [mod_pubsub:pubsubNode()].
get_all_nodes(Host) ->
    twitter_tree:get_nodes(mnesia, {get_all_nodes, [Host]}).

-spec get_parentnodes(mod_pubsub:host(), mod_pubsub:nodeId(), jid:jid()) ->
          [mod_pubsub:pubsubNode()] | {error, stanza_error()}.
get_parentnodes(Host, Node, From) ->
    nodetree_tree:get_parentnodes(Host, Node, From).

-spec get_parentnodes_tree(mod_pubsub:host(), mod_pubsub:nodeId(), jid:jid()) ->
          [{0, [mod_pubsub:pubsubNode(), ...]}].
get_parentnodes_tree(Host, Node, From) ->
    nodetree_tree:get_parentnodes_tree(Host, Node, From).

-spec get_subnodes(mod_pubsub:host(), mod_pubsub:nodeId(), non_neg_integer() | infinity) ->
          [mod_pubsub:pubsubNode()].
get_subnodes(Host, Node, Limit) ->
    twitter_tree:get_subnodes(mnesia, Host, Node, Limit).

-spec get_subnodes_tree(mod_pubsub:host(), mod_pubsub:nodeId(), jid:jid()) ->
          [mod_pubsub:pubsubNode()].
get_subnodes_tree(Host, Node, From) ->
    twitter_tree:get_nodes(mnesia, {get_subnodes_tree, [Host, Node, From]}).

-spec create_node(mod_pubsub:host(), mod_pubsub:nodeId(), binary(), jid:jid(),
                  mod_pubsub:nodeOptions(), [mod_pubsub:nodeId()]) ->
          {ok, mod_pubsub:nodeIdx()} | {error, stanza_error()}
        | {error, {virtual, {mod_pubsub:host(), mod_pubsub:nodeId()} | mod_pubsub:nodeId()}}.
create_node(Host, Node, Type, Owner, Options, Parents) ->
    twitter_tree:create_node(mnesia, Host, Node, Type, Owner, Options, Parents).

-spec delete_node(mod_pubsub:host(), mod_pubsub:nodeId()) -> [mod_pubsub:pubsubNode()].
delete_node(Host, Node) ->
    twitter_tree:delete_node(mnesia, Host, Node).
