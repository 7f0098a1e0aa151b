%%% @doc The tree of pubsub nodes with `/twitter' in it, whatever the database: the body of {@link nodetree_twitter}
%%% and {@link nodetree_twitter_sql}.
%%%
%%% Ordinary nodes and PEP go to `nodetree_tree' or `nodetree_tree_sql' untouched. Of the tree that a reader sees
%%% below `/twitter', only the root is here, as a row of the service; what lies below differs from reader
%%% to reader, and a nodetree is not told who asks: {@link twitter_gateway} answers that. What is
%%% stored below `/twitter' is one private node for each author, found only with the key of {@link
%%% twitter_path}, which no client has.
-module(twitter_tree).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("ejabberd/include/pubsub.hrl").
-include_lib("ejabberd/include/translate.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([init/4, terminate/3, set_node/2, get_node/3, get_node/2, get_nodes/2, get_subnodes/4, create_node/7,
         delete_node/3, typed/2]).
-export([remove_user/2]).

-type db() :: twitter_nodes:db().

-define(ROOT, <<"/twitter">>).

%% @doc mod_pubsub starts.
-spec init(db(), mod_pubsub:host(), binary(), Opts :: term()) -> ok.
init(Db, Host, ServerHost, Opts) ->
    %% mod_pubsub asks function_exported: a module that is not loaded yet would be passed over.
    Node = node_of(Db),
    {module, Node} = code:ensure_loaded(Node),
    ok = twitter_path:make_key(),
    ok = twitter_storage:serves(Host, ServerHost, Db),
    ok = attend(add, Db, ServerHost),
    ok = (tree(Db)):init(Host, ServerHost, Opts),
    ok = Node:init(Host, ServerHost, Opts),
    case lists:keymember(mod_twitter, 1, ejabberd_option:modules(ServerHost)) of
        true ->
            twitter_service:pubsub_starts(ServerHost);
        false ->
            ?ERROR_MSG("There are no microblogs on ~ts: mod_pubsub has nodetree: twitter, but "
                       "mod_twitter is missing. Add to `modules': mod_twitter: {}", [ServerHost])
    end.

%% With SQL mod_pubsub wants to delete the node of an account that is deleted, by an id without the key. With Mnesia
%% it empties the node by its number.
attend(_Change, mnesia, _ServerHost) -> ok;
attend(add, sql, ServerHost) -> ejabberd_hooks:add(remove_user, ServerHost, ?MODULE, remove_user, 45);
attend(delete, sql, ServerHost) -> ejabberd_hooks:delete(remove_user, ServerHost, ?MODULE, remove_user, 45).

%% @doc Hook: an account was deleted. Its posts go with it also while mod_twitter does not run, which does more.
-spec remove_user(User :: binary(), Server :: binary()) -> ok.
remove_user(User, Server) ->
    #jid{lserver = ServerHost} = Author = jid:make(User, Server),
    lists:foreach(fun(Host) -> twitter_service:find(Host) =:= error andalso delete_posts(Host, Author) end,
                  gen_mod:get_module_opt_hosts(ServerHost, mod_pubsub)).

delete_posts(Host, Author) ->
    try twitter_store:delete_node(Host, Author) of
        ok -> ok;
        {error, _} -> not_deleted(Host, Author)
    catch
        throw:{refused, _} -> not_deleted(Host, Author)
    end.

not_deleted(Host, Author) ->
    ?ERROR_MSG("The posts of ~ts at ~ts are left, though the account was deleted. Delete it once more "
               "when storage works, before somebody else gets that name", [jid:encode(Author), Host]).

tree(mnesia) -> nodetree_tree;
tree(sql) -> nodetree_tree_sql.

node_of(mnesia) -> node_twitter;
node_of(sql) -> node_twitter_sql.

%% @doc mod_pubsub ends.
-spec terminate(db(), mod_pubsub:host(), binary()) -> ok.
terminate(Db, Host, ServerHost) ->
    twitter_service:pubsub_stops(ServerHost),
    ok = attend(delete, Db, ServerHost),
    (tree(Db)):terminate(Host, ServerHost).

%% @doc Writes a node.
-spec set_node(db(), mod_pubsub:pubsubNode()) ->
          ok | {result, mod_pubsub:nodeIdx()} | {error, stanza_error()}.
set_node(Db, #pubsub_node{type = <<"twitter">>, nodeid = {Host, Id}} = Node) ->
    (tree(Db)):set_node(Node#pubsub_node{type = <<"flat">>, nodeid = {Host, stored(Db, Id)},
                                         parents = [parent(Db)]});
set_node(Db, Node) ->
    (tree(Db)):set_node(Node).

%% How a node that stores posts is called in the database.
stored(mnesia, Id) ->
    Id;
stored(sql, Id) ->
    case twitter_path:author(Id) of
        {ok, Author} -> twitter_sql_text:stored(Author);
        none -> Id
    end.

parent(mnesia) -> twitter_path:parent();
parent(sql) -> twitter_sql_text:parent().

%% @doc A node by its id.
-spec get_node(db(), mod_pubsub:host(), mod_pubsub:nodeId()) -> mod_pubsub:pubsubNode() | {error, stanza_error()}.
get_node(Db, Host, Node) when is_binary(Host) ->
    case place(Host, Node) of
        root -> root(Host);
        nowhere -> not_found();
        {stored, Id} -> stored_node(Db, Host, Id)
    end;
get_node(Db, PepHost, Node) ->
    (tree(Db)):get_node(PepHost, Node).

stored_node(mnesia, Host, Id) ->
    typed(mnesia, nodetree_tree:get_node(Host, Id));
stored_node(sql, Host, Id) ->
    case twitter_path:author(Id) of
        {ok, Author} ->
            %% Its options are known: so one query does.
            case twitter_sql_storage:node(Host, Author) of
                {ok, Nidx} ->
                    #pubsub_node{nodeid = {Host, Id}, id = Nidx, type = <<"twitter">>,
                                 parents = [twitter_path:parent()], options = twitter_nodes:options()};
                none ->
                    not_found()
            end;
        none ->
            nodetree_tree_sql:get_node(Host, Id)
    end.

not_found() ->
    {error, xmpp:err_item_not_found(?T("Node not found"), ejabberd_option:language())}.

%% @doc A node by its number.
-spec get_node(db(), mod_pubsub:nodeIdx()) -> mod_pubsub:pubsubNode() | {error, stanza_error()}.
get_node(Db, Nidx) ->
    typed(Db, (tree(Db)):get_node(Nidx)).

%% @doc The answer to another question about nodes, which is asked of the tree of ordinary nodes.
-spec get_nodes(db(), {Function :: atom(), Args :: list()}) -> [mod_pubsub:pubsubNode()].
get_nodes(Db, {Function, Args}) ->
    typed(Db, apply(tree(Db), Function, Args)).

%% @doc The nodes below a node.
-spec get_subnodes(db(), mod_pubsub:host(), mod_pubsub:nodeId(), non_neg_integer() | infinity) ->
          [mod_pubsub:pubsubNode()].
get_subnodes(Db, Host, <<>>, Limit) when is_binary(Host) ->
    %% A node with a name of ours from before the plugin is hidden, not lost.
    Nodes = [Node || #pubsub_node{nodeid = {_, Id}} = Node <-
                         (tree(Db)):get_subnodes(Host, <<>>, Limit),
                     not twitter_path:is_reserved(Id)],
    case place(Host, ?ROOT) of
        root -> [root(Host) | Nodes];
        nowhere -> Nodes
    end;
get_subnodes(Db, Host, Node, Limit) when is_binary(Host) ->
    Parent = twitter_path:parent(),
    case place(Host, Node) of
        {stored, Parent} -> typed(Db, (tree(Db)):get_subnodes(Host, parent(Db), Limit));
        {stored, Id} -> typed(Db, (tree(Db)):get_subnodes(Host, Id, Limit));
        _ -> []
    end;
get_subnodes(Db, PepHost, Node, Limit) ->
    (tree(Db)):get_subnodes(PepHost, Node, Limit).

%% @doc Below `/twitter', only the owner's own stored node can be made, and by the service those of authors on
%% other servers; its type and options are ours, whatever the caller and the settings for ordinary nodes say.
-spec create_node(db(), mod_pubsub:host(), mod_pubsub:nodeId(), binary(), jid:jid(),
                  mod_pubsub:nodeOptions(), [mod_pubsub:nodeId()]) ->
          {ok, mod_pubsub:nodeIdx()} | {error, stanza_error()}
        | {error, {virtual, {mod_pubsub:host(), mod_pubsub:nodeId()} | mod_pubsub:nodeId()}}.
create_node(Db, Host, Node, Type, Owner, Options, Parents) when is_binary(Host) ->
    Name = jid:encode(jid:remove_resource(jid:tolower(Owner))),
    case place(Host, Node) of
        {stored, Node} ->
            (tree(Db)):create_node(Host, Node, Type, Owner, Options, Parents);
        {stored, Id} ->
            case twitter_path:author(Id) of
                {ok, Name} ->
                    create_stored(Db, Host, Id, Owner);
                {ok, Author} when Name =:= Host ->
                    case twitter_roster:is_local(twitter_roster:bare(Author)) of
                        true -> {error, fixed_tree()};
                        false -> create_stored(Db, Host, Id, Owner)
                    end;
                _ ->
                    {error, fixed_tree()}
            end;
        _ ->
            {error, fixed_tree()}
    end;
create_node(Db, PepHost, Node, Type, Owner, Options, Parents) ->
    (tree(Db)):create_node(PepHost, Node, Type, Owner, Options, Parents).

%% @doc Deletes a node, and those below it.
-spec delete_node(db(), mod_pubsub:host(), mod_pubsub:nodeId()) -> [mod_pubsub:pubsubNode()].
delete_node(Db, Host, Node) when is_binary(Host) ->
    case place(Host, Node) of
        {stored, Id} -> typed(Db, (tree(Db)):delete_node(Host, stored(Db, Id)));
        _ -> []
    end;
delete_node(Db, PepHost, Node) ->
    (tree(Db)):delete_node(PepHost, Node).

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
create_stored(Db, Host, Node, Owner) ->
    Tree = tree(Db),
    Id = stored(Db, Node),
    case Tree:create_node(Host, Id, <<"flat">>, Owner, twitter_nodes:options(), []) of
        {ok, Nidx} ->
            #pubsub_node{} = Stored = Tree:get_node(Host, Id),
            case Tree:set_node(Stored#pubsub_node{parents = [parent(Db)]}) of
                {error, _} = Error -> Error;
                _ -> {ok, Nidx}
            end;
        {error, _} = Error ->
            Error
    end.

%% @doc While the plugin is here, mod_pubsub gets stored nodes as nodes of our type, under their id in Mnesia.
-spec typed(db(), Answer) -> Answer.
typed(Db, Nodes) when is_list(Nodes) ->
    [typed(Db, Node) || Node <- Nodes];
typed(mnesia, #pubsub_node{nodeid = {Host, _}, parents = [Parent]} = Node) when is_binary(Host) ->
    case twitter_path:parent() of
        Parent -> Node#pubsub_node{type = <<"twitter">>};
        _ -> Node
    end;
typed(sql, #pubsub_node{nodeid = {Host, Id}, parents = [Parent]} = Node) when is_binary(Host) ->
    case twitter_sql_text:is_parent(Parent) andalso twitter_sql_text:author(Id) of
        {ok, Author} -> Node#pubsub_node{type = <<"twitter">>, nodeid = {Host, twitter_path:stored(Author)},
                                         parents = [twitter_path:parent()]};
        _ -> Node
    end;
typed(_Db, Other) ->
    Other.

fixed_tree() ->
    twitter_error:stanza_error(fixed_tree, ejabberd_option:language()).

root(Host) ->
    #pubsub_node{nodeid = {Host, ?ROOT}, id = ?ROOT, type = <<"twitter">>,
                 owners = [{<<>>, Host, <<>>}],
                 options = lists:keystore(title, 1, [{node_type, collection} | twitter_nodes:options()],
                                          {title, <<"Twitter">>})}.
