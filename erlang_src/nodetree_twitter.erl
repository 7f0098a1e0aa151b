%%% @doc The tree of pubsub nodes with `/twitter' in it. mod_pubsub finds it by its name, from the
%%% setting `nodetree: twitter'.
%%%
%%% Ordinary nodes and PEP go to `nodetree_tree' untouched. Of the tree that a reader sees below
%%% `/twitter', only the root is here, as a row of the service; what lies below differs from reader
%%% to reader, and a nodetree is not told who asks: {@link twitter_gateway} answers that. What is
%%% stored below `/twitter' is one private node for each author, found only with the key of {@link
%%% twitter_path}, which no client has.
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
    ok = twitter_path:make_key(),
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
set_node(#pubsub_node{type = <<"twitter">>} = Node) ->
    nodetree_tree:set_node(Node#pubsub_node{type = <<"flat">>});
set_node(Node) ->
    nodetree_tree:set_node(Node).

-spec get_node(mod_pubsub:host(), mod_pubsub:nodeId(), jid:jid()) ->
          mod_pubsub:pubsubNode() | {error, stanza_error()}.
get_node(Host, Node, _From) ->
    get_node(Host, Node).

-spec get_node(mod_pubsub:host(), mod_pubsub:nodeId()) ->
          mod_pubsub:pubsubNode() | {error, stanza_error()}.
get_node(Host, Node) when is_binary(Host) ->
    case place(Host, Node) of
        root -> root(Host);
        nowhere -> {error, xmpp:err_item_not_found(?T("Node not found"), ejabberd_option:language())};
        {stored, Id} -> typed(nodetree_tree:get_node(Host, Id))
    end;
get_node(PepHost, Node) ->
    nodetree_tree:get_node(PepHost, Node).

-spec get_node(mod_pubsub:nodeIdx()) -> mod_pubsub:pubsubNode() | {error, stanza_error()}.
get_node(Nidx) ->
    typed(nodetree_tree:get_node(Nidx)).

-spec get_nodes(mod_pubsub:host(), non_neg_integer() | infinity) -> [mod_pubsub:pubsubNode()].
get_nodes(Host, Limit) ->
    typed(nodetree_tree:get_nodes(Host, Limit)).

-spec get_nodes(mod_pubsub:host()) -> [mod_pubsub:pubsubNode()].
get_nodes(Host) ->
    typed(nodetree_tree:get_nodes(Host)).

-spec get_all_nodes(mod_pubsub:host()) -> [mod_pubsub:pubsubNode()].
get_all_nodes(Host) ->
    typed(nodetree_tree:get_all_nodes(Host)).

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
    %% A node with a name of ours from before the plugin is hidden, not lost.
    Nodes = [Node || #pubsub_node{nodeid = {_, Id}} = Node <-
                         nodetree_tree:get_subnodes(Host, <<>>, Limit),
                     not twitter_path:is_reserved(Id)],
    case place(Host, ?ROOT) of
        root -> [root(Host) | Nodes];
        nowhere -> Nodes
    end;
get_subnodes(Host, Node, Limit) when is_binary(Host) ->
    case place(Host, Node) of
        {stored, Id} -> typed(nodetree_tree:get_subnodes(Host, Id, Limit));
        _ -> []
    end;
get_subnodes(PepHost, Node, Limit) ->
    nodetree_tree:get_subnodes(PepHost, Node, Limit).

-spec get_subnodes_tree(mod_pubsub:host(), mod_pubsub:nodeId(), jid:jid()) ->
          [mod_pubsub:pubsubNode()].
get_subnodes_tree(Host, Node, From) ->
    nodetree_tree:get_subnodes_tree(Host, Node, From).

%% @doc Below `/twitter', only the owner's own stored node can be made, and by the service those of authors on
%% other servers; its type and options are ours, whatever the caller and the settings for ordinary nodes say.
-spec create_node(mod_pubsub:host(), mod_pubsub:nodeId(), binary(), jid:jid(),
                  mod_pubsub:nodeOptions(), [mod_pubsub:nodeId()]) ->
          {ok, mod_pubsub:nodeIdx()} | {error, stanza_error()}
        | {error, {virtual, {mod_pubsub:host(), mod_pubsub:nodeId()} | mod_pubsub:nodeId()}}.
create_node(Host, Node, Type, Owner, Options, Parents) when is_binary(Host) ->
    Name = jid:encode(jid:remove_resource(jid:tolower(Owner))),
    case place(Host, Node) of
        {stored, Node} ->
            nodetree_tree:create_node(Host, Node, Type, Owner, Options, Parents);
        {stored, Id} ->
            case twitter_path:author(Id) of
                {ok, Name} ->
                    create_stored(Host, Id, Owner);
                {ok, Author} when Name =:= Host ->
                    case twitter_roster:is_local(twitter_roster:bare(Author)) of
                        true -> {error, fixed_tree()};
                        false -> create_stored(Host, Id, Owner)
                    end;
                _ ->
                    {error, fixed_tree()}
            end;
        _ ->
            {error, fixed_tree()}
    end;
create_node(PepHost, Node, Type, Owner, Options, Parents) ->
    nodetree_tree:create_node(PepHost, Node, Type, Owner, Options, Parents).

-spec delete_node(mod_pubsub:host(), mod_pubsub:nodeId()) -> [mod_pubsub:pubsubNode()].
delete_node(Host, Node) when is_binary(Host) ->
    case place(Host, Node) of
        {stored, Id} -> typed(nodetree_tree:delete_node(Host, Id));
        _ -> []
    end;
delete_node(PepHost, Node) ->
    nodetree_tree:delete_node(PepHost, Node).

%% Where a node of a pubsub host is: an ordinary node is stored under its own id.
-spec place(binary(), mod_pubsub:nodeId()) -> root | nowhere | {stored, mod_pubsub:nodeId()}.
place(Host, ?ROOT) ->
    case twitter_service:find(Host) of
        {ok, _} -> root;
        error -> nowhere
    end;
place(_Host, Node) ->
    case twitter_path:is_reserved(Node) andalso twitter_path:without_key(Node) of
        false -> {stored, Node};
        {ok, Id} -> {stored, Id};
        none -> nowhere
    end.

%% nodetree_tree asks for a stored parent, and ours is none: so it is set afterwards. In the database
%% the node is an ordinary, private one: a type that nobody knows any more when the plugin is gone would
%% break every deletion of a node there.
create_stored(Host, Node, Owner) ->
    case nodetree_tree:create_node(Host, Node, <<"flat">>, Owner, node_twitter:options(), []) of
        {ok, Nidx} ->
            #pubsub_node{} = Stored = nodetree_tree:get_node(Host, Node),
            ok = nodetree_tree:set_node(Stored#pubsub_node{parents = [twitter_path:parent()]}),
            {ok, Nidx};
        {error, _} = Error ->
            Error
    end.

%% While the plugin is here, mod_pubsub gets stored nodes as nodes of our type.
typed(Nodes) when is_list(Nodes) ->
    [typed(Node) || Node <- Nodes];
typed(#pubsub_node{nodeid = {Host, _}, parents = [Parent]} = Node) when is_binary(Host) ->
    case twitter_path:parent() of
        Parent -> Node#pubsub_node{type = <<"twitter">>};
        _ -> Node
    end;
typed(Other) ->
    Other.

fixed_tree() ->
    twitter_error:stanza_error(fixed_tree, ejabberd_option:language()).

root(Host) ->
    #pubsub_node{nodeid = {Host, ?ROOT}, id = ?ROOT, type = <<"twitter">>,
                 owners = [{<<>>, Host, <<>>}],
                 options = lists:keystore(title, 1, [{node_type, collection} | node_twitter:options()],
                                          {title, <<"Twitter">>})}.
