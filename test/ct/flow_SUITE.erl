%%% How much may wait and be under way: the server stays up, nobody loses a post that was sent, and
%%% what was counted is nothing again in the end.
-module(flow_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([
    posts_wait_up_to_a_limit/1,
    each_author_keeps_his_order/1,
    workers_pause_until_sessions_take_posts/1,
    sessions_that_take_long_do_not_lift_the_limit/1,
    sessions_that_die_do_not_stop_the_workers/1,
    a_worker_is_killed/1,
    no_error_was_logged/1
]).

-define(HOST, <<"localhost">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
%% As twitter_flow has them.
-define(MAX_WAITING, 33_554_432).
-define(PARTS, 64).
-define(MAX_UNDER_WAY, 67_108_864).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [
        posts_wait_up_to_a_limit,
        each_author_keeps_his_order,
        workers_pause_until_sessions_take_posts,
        sessions_that_take_long_do_not_lift_the_limit,
        sessions_that_die_do_not_stop_the_workers,
        a_worker_is_killed,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    %% On this way a post takes room in every mailbox; on the fast one it is shared.
    twitter_cases:start(Config, #{twitter => #{max_post_size => 600_000, delivery => full}}).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% What waits

%% Workers are stopped. All but one of so many posts have room. They are not larger, for reading is slow with
%% PostgreSQL then: its driver takes four times as long for twice as much.
posts_wait_up_to_a_limit(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Workers = suspended_workers(Server),
    Text = binary:copy(<<"x">>, ?MAX_WAITING div ?PARTS),
    Ids = [integer_to_binary(N) || N <- lists:seq(1, ?PARTS + 2)],
    [Id = twitter_requests:publish(Alice, Id, Text) || Id <- Ids],
    #{waiting := Waiting, not_pushed := NotPushed} = counters(Server),
    ?assertEqual(3, NotPushed),
    ?assert(Waiting > ?MAX_WAITING * (?PARTS - 1) div ?PARTS),
    ?assert(Waiting =< ?MAX_WAITING),
    ?assertMatch([_], complaints(Server)),
    ok = resume(Server, Workers),
    ?assertEqual(lists:sublist(Ids, ?PARTS - 1), ids(Server, Bob)),
    %% All are stored, and the next one is pushed. A request reads no more than fit into an answer.
    ?assertEqual(Ids, [Id || {_, Id, _} <- twitter_reading:stream(Bob, ?FRIENDS, 2)]),
    _ = twitter_requests:publish(Alice, <<"later">>, <<"Small">>),
    ?assertEqual([<<"later">>], ids(Server, Bob)),
    ok = twitter_requests:purge(Alice),
    _ = twitter_events:received(Server, Bob),
    ok = nothing_is_left(Server).

complaints(Server) ->
    binary:matches(twitter_server:log(Server), <<"Posts are published faster than they can be sent">>).

each_author_keeps_his_order(Config) ->
    Server = twitter_cases:server(Config),
    [Bob | Authors] = twitter_cases:friends(Config, [<<"bob">> | lists:duplicate(6, <<"alice">>)]),
    Ids = [integer_to_binary(N) || N <- lists:seq(1, 30)],
    Workers = suspended_workers(Server),
    Publish = fun(Some) ->
        twitter_cases:together([fun() -> twitter_requests:publish_all(Author, Some) end || Author <- Authors])
    end,
    {First, Second} = lists:split(15, Ids),
    _ = Publish(First),
    ok = resume(Server, Workers),
    _ = Publish(Second),
    Received = twitter_events:posts(Server, Bob),
    [
        ?assertEqual(Ids, [Id || {item, Publisher, Id, _} <- Received, Publisher =:= twitter_client:bare(Author)])
     || Author <- Authors
    ],
    ok = nothing_is_left(Server).

%%% What is under way

workers_pause_until_sessions_take_posts(Config) ->
    {Server, Alice, Wires, Sessions} = slow_readers(Config),
    Ids = publish_large(Alice),
    ok = paused(Server),
    ok = resume(Server, Sessions),
    ok = settle(Server),
    [?assertEqual(Ids, wire_ids(Wire)) || Wire <- Wires],
    ok = nothing_is_left(Server).

%% Workers do not wait for ever; but what arrives after all does not make room for more later.
sessions_that_take_long_do_not_lift_the_limit(Config) ->
    {Server, Alice, Wires, Sessions} = slow_readers(Config),
    Ids = publish_large(Alice),
    ok = settle(Server),
    ok = resume(Server, Sessions),
    [?assertEqual(Ids, wire_ids(Wire)) || Wire <- Wires],
    ?assertMatch(#{under_way := 0}, counters(Server)),
    ok = suspend(Server, Sessions),
    Again = publish_large(Alice),
    ok = paused(Server),
    ok = resume(Server, Sessions),
    ok = settle(Server),
    [?assertEqual(Again, wire_ids(Wire)) || Wire <- Wires],
    ok = nothing_is_left(Server).

sessions_that_die_do_not_stop_the_workers(Config) ->
    {Server, Alice, _Wires, Sessions} = slow_readers(Config),
    Zoe = twitter_users:fresh(Server, <<"zoe">>),
    ok = twitter_users:set_contact(Server, twitter_cases:user(Alice), Zoe, from),
    Wire = twitter_wire:open(Server, Zoe, #{}),
    Ids = publish_large(Alice),
    ok = paused(Server),
    [true = twitter_server:call(Server, erlang, exit, [Session, kill]) || Session <- Sessions],
    ok = settle(Server),
    ?assertEqual(Ids, wire_ids(Wire)),
    ?assertMatch(#{waiting := 0}, counters(Server)),
    ok = nothing_is_left(Server).

%% What waited for it waits for the next one, and counts as much; also what is published in between.
a_worker_is_killed(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Worker = twitter_inside:worker(Server, twitter_fanout, Alice),
    ok = suspend(Server, [Worker]),
    _ = twitter_requests:publish(Alice, <<"a">>, twitter_cases:large(<<"Long ">>, 100_000)),
    #{waiting := Waiting} = counters(Server),
    ?assert(Waiting > 100_000),
    ok = twitter_inside:await_other(Server, Worker, twitter_inside:kill(Server, Worker)),
    _ = twitter_requests:publish(Alice, <<"b">>, <<"Found">>),
    ?assertEqual([<<"a">>, <<"b">>], ids(Server, Bob)),
    ok = nothing_is_left(Server).

no_error_was_logged(Config) ->
    twitter_cases:no_error_but_of_killed_processes(Config).

%%% Helpers

%% An author, and friends whose sessions take nothing.
slow_readers(Config) ->
    Server = twitter_cases:server(Config),
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    Users = [twitter_users:fresh(Server, <<"bob">>) || _ <- lists:seq(1, 8)],
    [ok = twitter_users:set_contact(Server, twitter_cases:user(Alice), User, from) || User <- Users],
    Wires = [twitter_wire:open(Server, User, #{resource => <<"slow">>}) || User <- Users],
    Sessions = [twitter_inside:session(Server, <<(twitter_users:jid(User))/binary, "/slow">>) || User <- Users],
    ok = suspend(Server, Sessions),
    {Server, Alice, Wires, Sessions}.

%% In a mailbox, many small elements take many times the bytes that they take on the wire.
publish_large(Author) ->
    Element = fxml_stream:parse_element(iolist_to_binary(
        [<<"<x xmlns='urn:x'>">>, binary:copy(<<"<x/>">>, 10_000), <<"</x>">>])),
    [twitter_requests:publish(Author, Element) || _ <- lists:seq(1, 14)].

%% Returns when too much is under way, and posts wait for it.
paused(Server) ->
    case counters(Server) of
        #{under_way := UnderWay, waiting := Waiting} when UnderWay > ?MAX_UNDER_WAY, Waiting > 0 -> ok;
        #{waiting := Waiting} when Waiting > 0 -> paused(Server);
        All -> error({never_paused, All})
    end.

wire_ids(Wire) ->
    {match, Ids} = re:run(twitter_wire:sync(Wire), "<item id='([^']+)'", [global, {capture, [1], binary}]),
    lists:append(Ids).

ids(Server, Client) ->
    [Id || {item, _, Id, _} <- twitter_events:posts(Server, Client)].

settle(Server) ->
    twitter_server:settle(Server, <<"pubsub.localhost">>).

counters(Server) ->
    twitter_server:call(Server, twitter_flow, counters, [?HOST]).

%% What was on its way to sessions that were killed is given up when it is looked at twice.
nothing_is_left(Server) ->
    [ok = twitter_server:call(Server, twitter_sessions, reconcile, [?HOST]) || _ <- [first, again]],
    ?assertMatch(#{under_way := 0, waiting := 0}, counters(Server)),
    ok.

suspended_workers(Server) ->
    Workers = twitter_inside:workers(Server, twitter_fanout),
    ok = suspend(Server, Workers),
    Workers.

suspend(Server, Processes) ->
    twitter_inside:suspend(Server, Processes).

resume(Server, Processes) ->
    twitter_inside:resume(Server, Processes).
