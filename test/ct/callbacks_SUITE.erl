%%% Each callback of both behaviours is ours: none falls to node_flat because it is missing or
%%% its module is not loaded. Each is called on a stored node, as mod_pubsub does it.
-module(callbacks_SUITE).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/pubsub.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([
    both_modules_are_loaded_at_the_start/1,
    every_callback_is_exported/1,
    every_callback_of_the_node_is_tried/1,
    callbacks_of_the_node/1,
    every_callback_of_the_tree_is_tried/1,
    callbacks_of_the_tree/1,
    ordinary_nodes_keep_their_callbacks/1
]).
%% In the server under test.
-export([directly/3, directly_of_tree/3]).

-define(HOST, <<"pubsub.localhost">>).
-define(VHOST, <<"localhost">>).
-define(SPARE, 16#ffffff).


all() ->
    [
        both_modules_are_loaded_at_the_start,
        every_callback_is_exported,
        every_callback_of_the_node_is_tried,
        callbacks_of_the_node,
        every_callback_of_the_tree_is_tried,
        callbacks_of_the_tree,
        ordinary_nodes_keep_their_callbacks
    ].

init_per_suite(Config) ->
    Started = twitter_cases:start(Config),
    true = twitter_server:call(twitter_cases:server(Started), code, add_patha, [filename:dirname(code:which(?MODULE))]),
    Started.

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Cases

%% Nobody has asked the server anything yet.
both_modules_are_loaded_at_the_start(Config) ->
    [
        {file, _} = twitter_server:call(twitter_cases:server(Config), code, is_loaded, [Module])
     || Module <- [node_module(), tree_module(), twitter_gateway]
    ].

every_callback_is_exported(Config) ->
    Server = twitter_cases:server(Config),
    lists:foreach(
        fun({Module, Behaviour}) ->
            Callbacks = callbacks(Server, Behaviour),
            Exports = twitter_server:call(Server, Module, module_info, [exports]),
            [] = Callbacks -- Exports,
            [Behaviour] = proplists:get_value(
                behaviour, twitter_server:call(Server, Module, module_info, [attributes])
            )
        end,
        [{node_module(), gen_pubsub_node}, {tree_module(), gen_pubsub_nodetree}]
    ),
    %% mod_pubsub calls this one too, though the behaviour does not name it.
    true = twitter_server:call(Server, erlang, function_exported, [node_module(), set_subscriptions, 4]),
    36 = length(callbacks(Server, gen_pubsub_node)),
    16 = length(callbacks(Server, gen_pubsub_nodetree)).

every_callback_of_the_node_is_tried(Config) ->
    Scene = scene(Config),
    [] = callbacks(twitter_cases:server(Config), gen_pubsub_node) -- [Call || {_, Call, _, _} <- node_calls(Scene)].

callbacks_of_the_node(Config) ->
    Server = twitter_cases:server(Config),
    Scene = scene(Config),
    %% In SQL there is no node that is nothing but an affiliation.
    _ = [
        ok = twitter_stored:sql(Server, [
            "INSERT INTO pubsub_node(nodeid, host, node, parent, plugin) VALUES (", integer_to_list(?SPARE), ", '", ?HOST, "', 'spare', '', 'flat')"
        ])
     || twitter_database:is_sql()
    ],
    lists:foreach(
        fun({How, {Function, _} = Callback, Args, Check}) ->
            Result =
                case How of
                    node -> twitter_server:call(Server, mod_pubsub, node_action, [?HOST, <<"twitter">>, Function, Args]);
                    direct -> twitter_server:call(Server, ?MODULE, directly, [twitter_server:storage(Server), Function, Args])
                end,
            Check(Result) orelse error({Callback, Result})
        end,
        node_calls(Scene)
    ).

%% As mod_pubsub calls it.
directly(mnesia, Function, Args) ->
    mnesia:sync_dirty(fun() -> apply(node_twitter, Function, Args) end);
directly(_Sql, Function, Args) ->
    in_sql(fun() -> apply(node_twitter_sql, Function, Args) end).

directly_of_tree(mnesia, Function, Args) ->
    apply(nodetree_twitter, Function, Args);
directly_of_tree(_Sql, Function, Args) ->
    in_sql(fun() -> apply(nodetree_twitter_sql, Function, Args) end).

in_sql(Fun) ->
    {atomic, Result} = ejabberd_sql:sql_transaction(?VHOST, Fun),
    Result.

node_module() -> of_storage(#{mnesia => node_twitter, sql => node_twitter_sql}).

tree_module() -> of_storage(#{mnesia => nodetree_twitter, sql => nodetree_twitter_sql}).

of_storage(Modules) ->
    maps:get(case twitter_database:is_sql() of true -> sql; false -> mnesia end, Modules).

every_callback_of_the_tree_is_tried(Config) ->
    Scene = scene(Config),
    [] = callbacks(twitter_cases:server(Config), gen_pubsub_nodetree) -- [Call || {_, Call, _, _} <- tree_calls(Scene)].

callbacks_of_the_tree(Config) ->
    Server = twitter_cases:server(Config),
    Scene = #{alice := Alice} = scene(Config),
    lists:foreach(
        fun({How, {Function, _} = Callback, Args, Check}) ->
            Result =
                case How of
                    tree -> twitter_server:call(Server, mod_pubsub, tree_action, [?HOST, Function, Args]);
                    direct -> twitter_server:call(Server, ?MODULE, directly_of_tree, [twitter_server:storage(Server), Function, Args])
                end,
            Check(Result) orelse error({Callback, Args, Result})
        end,
        tree_calls(Scene)
    ),
    %% It was stopped and started in between.
    ok = twitter_server:await_service(Server, ?VHOST),
    Client = twitter_users:login(Server, Alice),
    [{_, <<"1">>, _}, {_, <<"2">>, _}] = twitter_reading:entries(Client, <<"/twitter/MyStream">>).

%% A node that is not of type twitter is node_flat's.
ordinary_nodes_keep_their_callbacks(Config) ->
    Server = twitter_cases:server(Config),
    #{alice := Alice, node := Node} = scene(Config),
    Client = twitter_users:login(Server, Alice),
    Name = <<"flat-", (element(1, Alice))/binary>>,
    none = twitter_answers:refusal(
        twitter_requests:pubsub(Client, set, ["<create node='", Name, "'/>"])
    ),
    #pubsub_node{type = <<"flat">>} =
        twitter_server:call(Server, mod_pubsub, tree_action, [?HOST, get_node, [?HOST, Name]]),
    #pubsub_node{type = <<"twitter">>} =
        twitter_server:call(Server, mod_pubsub, tree_action, [?HOST, get_node, [?HOST, Node]]).

%%% The table of node_twitter

%% In this order: later calls see what earlier ones did.
node_calls(#{nidx := Nidx, node := Node, stored := Stored, alice_jid := Alice, bob_jid := Bob, bare := Bare}) ->
    Entry = #xmlel{name = <<"a">>, attrs = [{<<"xmlns">>, <<"urn:a">>}]},
    Options = [],
    Spare = ?SPARE,
    Item = #pubsub_item{itemid = {<<"1">>, Nidx}, nodeidx = Nidx, payload = [Entry],
                        creation = {{1600, 0, 0}, Bare}, modification = {{1600, 0, 0}, Bare}},
    [
        {direct, {init, 3}, [?HOST, ?VHOST, Options], is(ok)},
        {direct, {terminate, 2}, [?HOST, ?VHOST], is(ok)},
        {direct, {options, 0}, [], has({access_model, whitelist})},
        {direct, {options, 0}, [], has({deliver_notifications, false})},
        {direct, {features, 0}, [], has(<<"publish">>)},
        {node, {create_node_permission, 6}, [?HOST, ?VHOST, Stored, <<"/twitter">>, Alice, all], is({result, true})},
        {node, {create_node_permission, 6}, [?HOST, ?VHOST, Stored, <<"/twitter">>, Bob, all], is({result, false})},
        {node, {create_node_permission, 6}, [?HOST, ?VHOST, <<"/twitter/x">>, <<"/twitter">>, Alice, all], is({result, false})},
        {node, {create_node, 2}, [Spare, Bob], is({result, {default, broadcast}})},
        {node, {get_affiliation, 2}, [Spare, Bob], is({result, owner})},
        {node, {delete_node, 1}, [[#pubsub_node{id = Spare, nodeid = {?HOST, <<"spare">>}}]], fun is_result/1},
        %% In SQL it goes with the row of the node, which is the tree's.
        {node, {get_affiliation, 2}, [Spare, Bob], fun({result, Left}) -> Left =:= none orelse twitter_database:is_sql() end},
        {node, {subscribe_node, 8}, [Nidx, Alice, Alice, whitelist, never, true, true, []], refused('feature-not-implemented')},
        {node, {subscribe_node, 8}, [Nidx, Bob, Bob, open, never, true, true, []], refused('feature-not-implemented')},
        {node, {unsubscribe_node, 4}, [Nidx, Bob, Bob, <<>>], refused('feature-not-implemented')},
        {node, {publish_item, 7}, [Nidx, Bob, publishers, 10, <<"of-bob">>, [Entry], []], refused(forbidden)},
        {node, {publish_item, 7}, [Nidx, Alice, publishers, 0, <<"3">>, [Entry], []], is({result, {default, broadcast, []}})},
        {node, {get_items, 3}, [Nidx, Bob, undefined], ids([<<"1">>, <<"2">>, <<"3">>])},
        {node, {delete_item, 4}, [Nidx, Bob, publishers, <<"3">>], refused(forbidden)},
        {node, {delete_item, 4}, [Nidx, Alice, publishers, <<"nothing">>], refused('item-not-found')},
        {node, {delete_item, 4}, [Nidx, Alice, publishers, <<"3">>], is({result, {default, broadcast}})},
        {node, {remove_extra_items, 2}, [Nidx, unlimited], fun is_result/1},
        {node, {remove_expired_items, 2}, [Nidx, infinity], is({result, []})},
        {node, {get_node_affiliations, 1}, [Nidx], is({result, [{Bare, owner}]})},
        {node, {get_entity_affiliations, 2}, [?HOST, Alice], fun({result, [{#pubsub_node{id = Id}, owner}]}) -> Id =:= Nidx end},
        {node, {get_affiliation, 2}, [Nidx, Alice], is({result, owner})},
        {node, {get_affiliation, 2}, [Nidx, Bob], is({result, none})},
        {node, {set_affiliation, 3}, [Nidx, Bob, member], refused('not-allowed')},
        {node, {set_affiliation, 3}, [Nidx, Bob, owner], refused('not-allowed')},
        {node, {set_affiliation, 3}, [Nidx, Bob, none], fun is_result/1},
        {node, {get_node_subscriptions, 1}, [Nidx], is({result, []})},
        {node, {get_entity_subscriptions, 2}, [?HOST, Bob], is({result, []})},
        {node, {get_subscriptions, 2}, [Nidx, Bob], is({result, []})},
        {node, {set_subscriptions, 4}, [Nidx, Bob, subscribed, <<>>], refused('feature-not-implemented')},
        {node, {get_pending_nodes, 2}, [?HOST, Alice], is({result, []})},
        {node, {get_states, 1}, [Nidx], fun({result, [#pubsub_state{affiliation = owner, items = Items}]}) ->
            lists:sort(Items) =:= [<<"1">>, <<"2">>]
        end},
        {node, {get_state, 2}, [Nidx, Bare], fun({result, #pubsub_state{affiliation = A}}) -> A =:= owner end},
        {direct, {set_state, 1}, [#pubsub_state{stateid = {Bare, Nidx}, nodeidx = Nidx, affiliation = owner,
                                                items = [<<"2">>, <<"1">>]}], is(ok)},
        {node, {get_items, 7}, [Nidx, Bob, whitelist, true, true, <<>>, undefined], refused('not-allowed')},
        {node, {get_items, 7}, [Nidx, Alice, whitelist, false, false, <<>>, undefined], ids([<<"1">>, <<"2">>])},
        {node, {get_last_items, 3}, [Nidx, Alice, 1], fun({result, [#pubsub_item{itemid = {Id, _}}]}) -> Id =:= <<"2">> end},
        {node, {get_only_item, 2}, [Nidx, Alice], fun({result, [#pubsub_item{} | _]}) -> true end},
        {node, {get_item, 7}, [Nidx, <<"1">>, Bob, whitelist, true, true, <<>>], refused('not-allowed')},
        {node, {get_item, 7}, [Nidx, <<"1">>, Alice, whitelist, false, false, <<>>],
            fun({result, #pubsub_item{itemid = {Id, _}}}) -> Id =:= <<"1">> end},
        {node, {get_item, 2}, [Nidx, <<"nothing">>], refused('item-not-found')},
        {direct, {set_item, 1}, [Item], is(ok)},
        {node, {get_item, 2}, [Nidx, <<"1">>], is({result, Item})},
        {node, {get_item_name, 3}, [?HOST, Node, <<"1">>], is({result, <<"1">>})},
        {node, {node_to_path, 1}, [Node], is({result, [<<1, "/twitter">>, Node]})},
        {node, {path_to_node, 1}, [[<<"/twitter">>, Node]], is({result, Node})},
        {node, {remove_extra_items, 3}, [Nidx, 1, [<<"2">>, <<"1">>]], is({result, {[<<"2">>], [<<"1">>]}})},
        {node, {purge_node, 2}, [Nidx, Bob], refused(forbidden)},
        {node, {purge_node, 2}, [Nidx, Alice], is({result, {default, broadcast}})},
        {node, {get_items, 3}, [Nidx, Alice, undefined], ids([])}
    ].

%%% The table of nodetree_twitter

tree_calls(#{nidx := Nidx, node := Node, stored := Stored, record := Record, alice_jid := Alice, bob_jid := Bob}) ->
    IsStored = fun(#pubsub_node{id = Id}) -> Id =:= Nidx end,
    IsRoot = fun(#pubsub_node{nodeid = {Host, Id}}) -> {Host, Id} =:= {?HOST, <<"/twitter">>} end,
    Names = fun(Nodes) -> [Id || #pubsub_node{nodeid = {_, Id}} <- Nodes] end,
    Create = fun(Id, Owner) -> [?HOST, Id, <<"flat">>, Owner, [{access_model, open}], []] end,
    [
        {direct, {options, 0}, [], has({virtual_tree, false})},
        {tree, {get_node, 3}, [?HOST, Node, Bob], IsStored},
        {tree, {get_node, 2}, [?HOST, Node], IsStored},
        {tree, {get_node, 2}, [?HOST, Stored], refused('item-not-found')},
        {tree, {get_node, 2}, [?HOST, <<"/twitter">>], IsRoot},
        {tree, {get_node, 2}, [?HOST, <<"/twitter/MyStream">>], refused('item-not-found')},
        {tree, {get_node, 1}, [Nidx], IsStored},
        {tree, {get_nodes, 2}, [?HOST, infinity], fun(Nodes) -> lists:member(Stored, Names(Nodes)) end},
        {tree, {get_nodes, 2}, [?HOST, 1], fun(Nodes) -> length(Nodes) =:= 1 end},
        {tree, {get_nodes, 1}, [?HOST], fun(Nodes) -> lists:member(Stored, Names(Nodes)) end},
        {tree, {get_all_nodes, 1}, [?HOST], fun(Nodes) -> lists:member(Stored, Names(Nodes)) end},
        {tree, {get_parentnodes, 3}, [?HOST, Node, Bob], fun(Parents) -> is_list(Parents) end},
        {tree, {get_parentnodes_tree, 3}, [?HOST, Node, Bob], fun(Levels) -> is_list(Levels) end},
        {tree, {get_subnodes, 3}, [?HOST, <<>>, infinity], fun(Nodes) ->
            lists:member(<<"/twitter">>, Names(Nodes)) andalso not lists:member(Stored, Names(Nodes))
        end},
        {tree, {get_subnodes_tree, 3}, [?HOST, <<"/twitter">>, Bob], fun(Nodes) -> is_list(Nodes) end},
        %% Nothing is made or changed at or below /twitter.
        {tree, {create_node, 6}, Create(<<"/twitter">>, Alice), refused('not-allowed')},
        {tree, {create_node, 6}, Create(<<"/twitter/MyStream">>, Alice), refused('not-allowed')},
        {tree, {create_node, 6}, Create(Node, Bob), refused('not-allowed')},
        {tree, {create_node, 6}, Create(Node, Alice), refused(conflict)},
        {tree, {set_node, 1}, [Record], fun(Result) -> lists:member(Result, [ok, {result, Nidx}]) end},
        {tree, {delete_node, 2}, [?HOST, <<"/twitter">>], is([])},
        {tree, {get_node, 2}, [?HOST, <<"/twitter">>], IsRoot},
        %% An ordinary node passes through.
        {tree, {create_node, 6}, Create(<<"passing">>, Alice), fun({ok, Id}) -> Id =/= Nidx end},
        {tree, {delete_node, 2}, [?HOST, <<"passing">>], fun([#pubsub_node{nodeid = {_, Id}}]) -> Id =:= <<"passing">> end},
        {direct, {terminate, 2}, [?HOST, ?VHOST], is(ok)},
        {direct, {init, 3}, [?HOST, ?VHOST, #{}], is(ok)}
    ].

%%% Checks

-spec is(term()) -> fun((term()) -> boolean()).
is(Expected) -> fun(Result) -> Result =:= Expected end.

has(Element) -> fun(List) -> lists:member(Element, List) end.

is_result(Result) -> element(1, Result) =:= result.

refused(Condition) ->
    fun
        ({error, #stanza_error{reason = Reason}}) -> Reason =:= Condition;
        (_) -> false
    end.

ids(Expected) ->
    fun({result, {Items, _}}) -> lists:sort([Id || #pubsub_item{itemid = {Id, _}} <- Items]) =:= Expected end.

%%% Helpers

callbacks(Server, Behaviour) ->
    twitter_server:call(Server, Behaviour, behaviour_info, [callbacks]).

%% Alice has posted twice; her stored node is the one to try things on.
scene(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = [twitter_users:fresh(Server, Name) || Name <- [<<"alice">>, <<"bob">>]],
    Client = twitter_users:login(Server, Alice),
    [Id = twitter_requests:publish(Client, Id, Id) || Id <- [<<"1">>, <<"2">>]],
    ok = twitter_client:close(Client),
    Stored = twitter_path:stored(twitter_users:jid(Alice)),
    %% mod_pubsub finds it only with the key of this run.
    Node = twitter_server:call(Server, twitter_path, with_key, [Stored]),
    #pubsub_node{id = Nidx} = Record =
        twitter_server:call(Server, mod_pubsub, tree_action, [?HOST, get_node, [?HOST, Node]]),
    [AliceJid, BobJid] = [
        twitter_server:call(Server, jid, decode, [twitter_users:jid(User)])
     || User <- [Alice, Bob]
    ],
    #{
        nidx => Nidx,
        node => Node,
        stored => Stored,
        record => Record,
        alice => Alice,
        alice_jid => AliceJid,
        bob_jid => BobJid,
        bare => {element(1, Alice), ?VHOST, <<>>}
    }.
