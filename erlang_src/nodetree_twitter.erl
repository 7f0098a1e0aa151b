%%% @doc The tree of pubsub nodes with `/twitter' in it. mod_pubsub finds it by its name, from the
%%% setting `nodetree: twitter'.
%%%
%%% Ordinary nodes and PEP go to `nodetree_tree' untouched. Of the tree that a reader sees below
%%% `/twitter', only the root is here, as a row of the service; what lies below differs from reader
%%% to reader, and a nodetree is not told who asks: {@link twitter_gateway} answers that. What is
%%% stored below `/twitter' is one private node for each author, and no other can be created.
-module(nodetree_twitter).
-behaviour(gen_pubsub_nodetree).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("ejabberd/include/pubsub.hrl").
-include_lib("ejabberd/include/translate.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([init/3, terminate/2, options/0, set_node/1, get_node/3, get_node/2, get_node/1,
         get_nodes/2, get_nodes/1, get_all_nodes/1, get_parentnodes/3, get_parentnodes_tree/3,
         get_subnodes/3, get_subnodes_tree/3, create_node/6, delete_node/2]).

-define(ROOT, <<"/twitter">>).

-spec init(mod_pubsub:host(), binary(), Opts :: term()) -> ok.
init(Host, ServerHost, Opts) ->
    %% mod_pubsub asks function_exported: a module that is not loaded yet would be passed over.
    {module, node_twitter} = code:ensure_loaded(node_twitter),
    ok = nodetree_tree:init(Host, ServerHost, Opts),
    ok = node_twitter:init(Host, ServerHost, Opts),
    case lists:keymember(mod_twitter, 1, ejabberd_option:modules(ServerHost)) of
        true ->
            twitter_service:pubsub_starts(ServerHost);
        false ->
            ?ERROR_MSG("There are no microblogs on ~ts: mod_pubsub has nodetree: twitter, but "
                       "mod_twitter is missing. Add to `modules': mod_twitter: {}", [ServerHost])
    end.

-spec terminate(mod_pubsub:host(), binary()) -> ok.
terminate(Host, ServerHost) ->
    twitter_service:pubsub_stops(ServerHost),
    nodetree_tree:terminate(Host, ServerHost).

-spec options() -> mod_pubsub:nodeOptions().
options() ->
    nodetree_tree:options().

-spec set_node(mod_pubsub:pubsubNode()) ->
          ok | {result, mod_pubsub:nodeIdx()} | {error, stanza_error()}.
set_node(Node) ->
    nodetree_tree:set_node(Node).

-spec get_node(mod_pubsub:host(), mod_pubsub:nodeId(), jid:jid()) ->
          mod_pubsub:pubsubNode() | {error, stanza_error()}.
get_node(Host, Node, _From) ->
    get_node(Host, Node).

-spec get_node(mod_pubsub:host(), mod_pubsub:nodeId()) ->
          mod_pubsub:pubsubNode() | {error, stanza_error()}.
get_node(Host, ?ROOT) when is_binary(Host) ->
    case twitter_service:find(Host) of
        {ok, _} -> root(Host);
        error -> nodetree_tree:get_node(Host, ?ROOT)
    end;
get_node(Host, Node) ->
    nodetree_tree:get_node(Host, Node).

-spec get_node(mod_pubsub:nodeIdx()) -> mod_pubsub:pubsubNode() | {error, stanza_error()}.
get_node(Nidx) ->
    nodetree_tree:get_node(Nidx).

-spec get_nodes(mod_pubsub:host(), non_neg_integer() | infinity) -> [mod_pubsub:pubsubNode()].
get_nodes(Host, Limit) ->
    nodetree_tree:get_nodes(Host, Limit).

-spec get_nodes(mod_pubsub:host()) -> [mod_pubsub:pubsubNode()].
get_nodes(Host) ->
    nodetree_tree:get_nodes(Host).

-spec get_all_nodes(mod_pubsub:host()) -> [mod_pubsub:pubsubNode()].
get_all_nodes(Host) ->
    nodetree_tree:get_all_nodes(Host).

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
get_subnodes(Host, <<>>, Limit) when is_binary(Host) ->
    Nodes = nodetree_tree:get_subnodes(Host, <<>>, Limit),
    case twitter_service:find(Host) of
        {ok, _} ->
            %% A node of that name from before the plugin is hidden, not lost.
            [root(Host) | [Node || #pubsub_node{nodeid = {_, Id}} = Node <- Nodes,
                                   not twitter_path:is_reserved(Id)]];
        error ->
            Nodes
    end;
get_subnodes(Host, Node, Limit) ->
    nodetree_tree:get_subnodes(Host, Node, Limit).

-spec get_subnodes_tree(mod_pubsub:host(), mod_pubsub:nodeId(), jid:jid()) ->
          [mod_pubsub:pubsubNode()].
get_subnodes_tree(Host, Node, From) ->
    nodetree_tree:get_subnodes_tree(Host, Node, From).

%% @doc Below `/twitter', only the owner's own stored node can be made; its type and options are
%% ours, whatever the caller and the settings for ordinary nodes say.
-spec create_node(mod_pubsub:host(), mod_pubsub:nodeId(), binary(), jid:jid(),
                  mod_pubsub:nodeOptions(), [mod_pubsub:nodeId()]) ->
          {ok, mod_pubsub:nodeIdx()} | {error, stanza_error()}
        | {error, {virtual, {mod_pubsub:host(), mod_pubsub:nodeId()} | mod_pubsub:nodeId()}}.
create_node(Host, Node, Type, Owner, Options, Parents) when is_binary(Host) ->
    Name = jid:encode(jid:remove_resource(jid:tolower(Owner))),
    case twitter_path:is_reserved(Node) andalso twitter_path:author(Node) of
        false -> nodetree_tree:create_node(Host, Node, Type, Owner, Options, Parents);
        {ok, Name} -> create_stored(Host, Node, Owner);
        _ -> {error, twitter_error:stanza_error(fixed_tree, ejabberd_option:language())}
    end;
create_node(Host, Node, Type, Owner, Options, Parents) ->
    nodetree_tree:create_node(Host, Node, Type, Owner, Options, Parents).

-spec delete_node(mod_pubsub:host(), mod_pubsub:nodeId()) ->
          [mod_pubsub:pubsubNode()].
delete_node(Host, Node) ->
    nodetree_tree:delete_node(Host, Node).

%% nodetree_tree asks for a stored parent, and the root is none: so the parent is set afterwards.
%% It keeps the authors' nodes out of the list of the service.
create_stored(Host, Node, Owner) ->
    case nodetree_tree:create_node(Host, Node, <<"twitter">>, Owner, node_twitter:options(), []) of
        {ok, Nidx} ->
            #pubsub_node{} = Stored = nodetree_tree:get_node(Host, Node),
            ok = nodetree_tree:set_node(Stored#pubsub_node{parents = [?ROOT]}),
            {ok, Nidx};
        {error, _} = Error ->
            Error
    end.

root(Host) ->
    #pubsub_node{nodeid = {Host, ?ROOT}, id = ?ROOT, type = <<"twitter">>,
                 owners = [{<<>>, Host, <<>>}],
                 options = lists:keystore(title, 1, [{node_type, collection} | node_twitter:options()],
                                          {title, <<"Twitter">>})}.
