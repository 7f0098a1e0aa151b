%%% @doc The tree of pubsub nodes with `/twitter' in it, in SQL: {@link nodetree_twitter} for mod_pubsub with
%%% `db_type: sql'.
-module(nodetree_twitter_sql).
-behaviour(gen_pubsub_nodetree).

-include_lib("ejabberd/include/pubsub.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([init/3, terminate/2, options/0, set_node/1, get_node/3, get_node/2, get_node/1,
         get_nodes/2, get_nodes/1, get_all_nodes/1, get_parentnodes/3, get_parentnodes_tree/3,
         get_subnodes/3, get_subnodes_tree/3, create_node/6, delete_node/2]).

-spec init(mod_pubsub:host(), binary(), Opts :: term()) -> ok.
init(Host, ServerHost, Opts) ->
    twitter_tree:init(sql, Host, ServerHost, Opts).

-spec terminate(mod_pubsub:host(), binary()) -> ok.
terminate(Host, ServerHost) ->
    twitter_tree:terminate(sql, Host, ServerHost).

-spec options() -> mod_pubsub:nodeOptions().
options() ->
    nodetree_tree_sql:options().

-spec set_node(mod_pubsub:pubsubNode()) ->
          ok | {result, mod_pubsub:nodeIdx()} | {error, stanza_error()}.
set_node(Node) ->
    twitter_tree:set_node(sql, Node).

-spec get_node(mod_pubsub:host(), mod_pubsub:nodeId(), jid:jid()) ->
          mod_pubsub:pubsubNode() | {error, stanza_error()}.
get_node(Host, Node, _From) ->
    get_node(Host, Node).

-spec get_node(mod_pubsub:host(), mod_pubsub:nodeId()) ->
          mod_pubsub:pubsubNode() | {error, stanza_error()}.
get_node(Host, Node) ->
    twitter_tree:get_node(sql, Host, Node).

-spec get_node(mod_pubsub:nodeIdx()) -> mod_pubsub:pubsubNode() | {error, stanza_error()}.
get_node(Nidx) ->
    twitter_tree:get_node(sql, Nidx).

-spec get_nodes(mod_pubsub:host(), non_neg_integer() | infinity) -> [mod_pubsub:pubsubNode()].
get_nodes(Host, Limit) ->
    twitter_tree:get_nodes(sql, {get_nodes, [Host, Limit]}).

-spec get_nodes(mod_pubsub:host()) -> [mod_pubsub:pubsubNode()].
get_nodes(Host) ->
    twitter_tree:get_nodes(sql, {get_nodes, [Host]}).

-spec get_all_nodes(mod_pubsub:host()) -> [mod_pubsub:pubsubNode()].
get_all_nodes(Host) ->
    twitter_tree:get_nodes(sql, {get_all_nodes, [Host]}).

-spec get_parentnodes(mod_pubsub:host(), mod_pubsub:nodeId(), jid:jid()) ->
          [mod_pubsub:pubsubNode()] | {error, stanza_error()}.
get_parentnodes(Host, Node, From) ->
    nodetree_tree_sql:get_parentnodes(Host, Node, From).

-spec get_parentnodes_tree(mod_pubsub:host(), mod_pubsub:nodeId(), jid:jid()) ->
          [{0, [mod_pubsub:pubsubNode(), ...]}].
get_parentnodes_tree(Host, Node, From) ->
    nodetree_tree_sql:get_parentnodes_tree(Host, Node, From).

-spec get_subnodes(mod_pubsub:host(), mod_pubsub:nodeId(), non_neg_integer() | infinity) ->
          [mod_pubsub:pubsubNode()].
get_subnodes(Host, Node, Limit) ->
    twitter_tree:get_subnodes(sql, Host, Node, Limit).

-spec get_subnodes_tree(mod_pubsub:host(), mod_pubsub:nodeId(), jid:jid()) ->
          [mod_pubsub:pubsubNode()].
get_subnodes_tree(Host, Node, From) ->
    twitter_tree:get_nodes(sql, {get_subnodes_tree, [Host, Node, From]}).

-spec create_node(mod_pubsub:host(), mod_pubsub:nodeId(), binary(), jid:jid(),
                  mod_pubsub:nodeOptions(), [mod_pubsub:nodeId()]) ->
          {ok, mod_pubsub:nodeIdx()} | {error, stanza_error()}
        | {error, {virtual, {mod_pubsub:host(), mod_pubsub:nodeId()} | mod_pubsub:nodeId()}}.
create_node(Host, Node, Type, Owner, Options, Parents) ->
    twitter_tree:create_node(sql, Host, Node, Type, Owner, Options, Parents).

-spec delete_node(mod_pubsub:host(), mod_pubsub:nodeId()) -> [mod_pubsub:pubsubNode()].
delete_node(Host, Node) ->
    twitter_tree:delete_node(sql, Host, Node).
