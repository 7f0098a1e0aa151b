%%% Things that happen at the same time: nobody loses a post to it, and nobody gets somebody else's.
-module(races_SUITE).

-include_lib("ejabberd/include/pubsub.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([
    accounts_are_deleted_while_others_publish/1,
    streams_are_purged_while_others_publish/1,
    ordinary_nodes_are_deleted_while_others_publish/1,
    an_author_publishes_while_his_account_is_deleted/1,
    an_account_was_deleted_without_the_plugin/1,
    posts_are_published_and_retracted_at_once/1,
    edits_arrive_in_their_order/1,
    no_error_was_logged/1
]).
%% Hook on the server under test.
-export([slow_remove_user/2]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [
        accounts_are_deleted_while_others_publish,
        streams_are_purged_while_others_publish,
        ordinary_nodes_are_deleted_while_others_publish,
        an_author_publishes_while_his_account_is_deleted,
        an_account_was_deleted_without_the_plugin,
        posts_are_published_and_retracted_at_once,
        edits_arrive_in_their_order,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%% The numbers of deleted nodes are given to new ones; nothing must lie under them.
accounts_are_deleted_while_others_publish(Config) ->
    Leavers = twitter_cases:strangers(Config, lists:duplicate(12, <<"dave">>)),
    _ = [twitter_requests:publish_all(Leaver, [<<"1">>, <<"2">>]) || Leaver <- Leavers],
    while_others_publish(Config, fun() ->
        [ok = unregister(Config, twitter_cases:user(Leaver)) || Leaver <- Leavers]
    end),
    ?assertEqual([], orphans(Config)),
    Newcomers = twitter_cases:strangers(Config, lists:duplicate(12, <<"carol">>)),
    [
        begin
            ?assertEqual([], twitter_reading:ids(Newcomer, ?MINE)),
            _ = twitter_requests:publish(Newcomer, <<"new">>, <<"First">>),
            ?assertEqual([<<"new">>], twitter_reading:ids(Newcomer, ?MINE))
        end
     || Newcomer <- Newcomers
    ].

streams_are_purged_while_others_publish(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    Purge = twitter_requests:el(<<"purge">>, [{<<"node">>, ?MINE}], []),
    while_others_publish(Config, fun() ->
        [
            begin
                _ = twitter_requests:publish(Alice, <<"Soon gone">>),
                _ = twitter_answers:result(twitter_requests:owner(Alice, set, [Purge])),
                ?assertEqual([], twitter_reading:ids(Alice, ?MINE))
            end
         || _ <- lists:seq(1, 30)
        ]
    end).

ordinary_nodes_are_deleted_while_others_publish(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    El = fun(Name, Children) -> twitter_requests:el(Name, [{<<"node">>, <<"ordinary">>}], Children) end,
    Item = twitter_requests:el(<<"item">>, [], [twitter_requests:el(<<"x">>, [{<<"xmlns">>, <<"x">>}], [])]),
    while_others_publish(Config, fun() ->
        [
            begin
                _ = twitter_answers:result(twitter_requests:pubsub(Alice, set, [El(<<"create">>, [])])),
                _ = twitter_answers:result(twitter_requests:pubsub(Alice, set, [El(<<"publish">>, [Item])])),
                _ = twitter_answers:result(twitter_requests:owner(Alice, set, [El(<<"delete">>, [])]))
            end
         || _ <- lists:seq(1, 30)
        ]
    end),
    ?assertEqual([], orphans(Config)).

%% Between the end of the account and the end of the session other modules delete what is theirs.
an_author_publishes_while_his_account_is_deleted(Config) ->
    Server = twitter_cases:server(Config),
    [Dave] = twitter_cases:strangers(Config, [<<"dave">>]),
    {Name, Host} = User = twitter_cases:user(Dave),
    _ = twitter_requests:publish(Dave, <<"a">>, <<"Early">>),
    Hook = [remove_user, Host, ?MODULE, slow_remove_user, 60],
    true = twitter_server:call(Server, code, add_patha, [filename:dirname(code:which(?MODULE))]),
    ok = twitter_server:call(Server, ejabberd_hooks, add, Hook),
    Deleter = twitter_server:call(Server, erlang, spawn, [ejabberd_auth, remove_user, [Name, Host]]),
    ok = await(Server, {waits, Name}),
    Late = twitter_requests:el(<<"publish">>, [{<<"node">>, ?MINE}], [twitter_requests:el(<<"item">>, [], [{xmlcdata, <<"Late">>}])]),
    Answer = twitter_requests:pubsub(Dave, set, [Late]),
    _ = twitter_server:call(Server, erlang, send, [Deleter, go_on]),
    ok = await(Server, {done, Name}),
    ok = twitter_server:call(Server, ejabberd_hooks, delete, Hook),
    ?assertEqual(<<"not-allowed">>, twitter_answers:refusal(Answer)),
    _ = twitter_users:register(Server, Name, Host),
    Again = twitter_users:login(Server, User),
    ?assertEqual([], twitter_reading:ids(Again, ?MINE)).

%% A term on the server tells how far the hook is.
await(Server, Key) ->
    case twitter_server:call(Server, persistent_term, get, [{?MODULE, Key}, undefined]) of
        undefined -> await(Server, Key);
        true -> ok
    end.

slow_remove_user(User, _Server) ->
    persistent_term:put({?MODULE, {waits, User}}, true),
    receive
        go_on -> ok
    end,
    persistent_term:put({?MODULE, {done, User}}, true),
    ok.

%% The account goes while the server runs with the stock nodetree; the posts' node stays behind.
an_account_was_deleted_without_the_plugin(Config) ->
    Server = twitter_cases:server(Config),
    [Eve] = twitter_cases:strangers(Config, [<<"eve">>]),
    {Name, Host} = User = twitter_cases:user(Eve),
    _ = twitter_requests:publish(Eve, <<"a">>, <<"Of the first Eve">>),
    ok = twitter_server:restart(Server, #{pubsub => #{nodetree => tree}, twitter => absent}),
    ok = unregister(Config, User),
    ok = twitter_server:restart(Server, #{pubsub => #{}, twitter => #{}}),
    _ = twitter_users:register(Server, Name, Host),
    Again = twitter_users:login(Server, User),
    ?assertEqual([], twitter_reading:ids(Again, ?MINE)),
    _ = twitter_requests:publish(Again, <<"b">>, <<"Of the second">>),
    ?assertEqual([<<"b">>], twitter_reading:ids(Again, ?MINE)).

%% Two clients of one author, one deleting what the other publishes: the index ends up as the storage.
posts_are_published_and_retracted_at_once(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Retract = fun(Client) ->
        Item = twitter_requests:el(<<"item">>, [{<<"id">>, <<"x">>}], []),
        Element = twitter_requests:el(<<"retract">>, [{<<"node">>, ?MINE}], [Item]),
        _ = twitter_requests:pubsub(Client, set, [Element])
    end,
    Login = fun() -> twitter_users:login(Server, twitter_cases:user(Alice)) end,
    _ = twitter_cases:together([
        fun() ->
            Client = Login(),
            [Do(Client) || _ <- lists:seq(1, 60)],
            ok
        end
     || Do <- [fun(C) -> twitter_requests:publish(C, <<"x">>, <<"Now you see me">>) end, Retract]
    ]),
    Indexed = twitter_requests:items(Bob, ?FRIENDS),
    ok = twitter_server:call(Server, twitter_index, forget, [<<"pubsub.localhost">>, twitter_client:bare(Alice)]),
    Stored = twitter_requests:items(Bob, ?FRIENDS),
    ?assertEqual(twitter_answers:payloads(Stored), twitter_answers:payloads(Indexed)).

%% The last that a friend hears of a post is how it is.
edits_arrive_in_their_order(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    _ = twitter_cases:together([
        fun() ->
            Client = twitter_users:login(Server, twitter_cases:user(Alice)),
            [twitter_requests:publish(Client, <<"x">>, <<By/binary, (integer_to_binary(N))/binary>>) || N <- lists:seq(1, 40)],
            ok
        end
     || By <- [<<"a">>, <<"b">>]
    ]),
    Pushed = [Content || {item, _, <<"x">>, Content} <- twitter_events:posts(Server, Bob)],
    ?assertEqual(80, length(Pushed)),
    ?assertEqual([lists:last(Pushed)], twitter_reading:payloads(Bob, ?FRIENDS)).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

%% Three others publish all the time until `Fun' has ended.
while_others_publish(Config, Fun) ->
    Server = twitter_cases:server(Config),
    Busy = [
        spawn_monitor(fun() ->
            Client = twitter_users:login(Server, twitter_users:fresh(Server, <<"bob">>)),
            publish_until_stopped(Client)
        end)
     || _ <- lists:seq(1, 3)
    ],
    _ = Fun(),
    [
        begin
            Pid ! stop,
            receive
                {'DOWN', Ref, process, Pid, Reason} -> ?assertEqual(normal, Reason)
            end
        end
     || {Pid, Ref} <- Busy
    ].

publish_until_stopped(Client) ->
    _ = twitter_requests:publish(Client, <<"Busy">>),
    receive
        stop -> ok
    after 0 -> publish_until_stopped(Client)
    end.

unregister(Config, {Name, Host}) ->
    twitter_server:call(twitter_cases:server(Config), ejabberd_auth, remove_user, [Name, Host]).

%% Items that belong to no node.
orphans(Config) ->
    Call = fun(Function, Args) -> twitter_server:call(twitter_cases:server(Config), mnesia, Function, Args) end,
    Nodes = [Nidx || #pubsub_node{id = Nidx} <- Call(dirty_match_object, [{pubsub_node, '_', '_', '_', '_', '_', '_'}])],
    [
        Key
     || {_, Nidx} = Key <- Call(dirty_all_keys, [pubsub_item]), not lists:member(Nidx, Nodes)
    ].
