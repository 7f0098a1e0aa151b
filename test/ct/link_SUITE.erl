%%% What is owed to servers that are down, slow or come back: nobody waits for them, what is kept for them is little,
%%% and they get it, once.
-module(link_SUITE).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    a_dead_server_delays_nobody/1,
    a_server_that_says_nothing/1,
    it_is_tried_less_and_less/1,
    what_comes_from_there_wakes_the_link/1,
    what_is_owed_is_little/1,
    very_many_retractions/1,
    very_many_authors/1,
    it_comes_after_an_outage/1,
    it_outlives_a_restart/1,
    it_outlives_kill9/1,
    what_a_kill_lost_is_found/1,
    a_link_is_killed/1,
    all_links_are_killed/1,
    an_author_leaves_meanwhile/1,
    nothing_is_left_behind/1,
    no_error_but_of_killed_processes/1
]).

-define(HOST, <<"pubsub.localhost">>).
-define(TABLE, twitter_outbox_localhost).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [
        a_dead_server_delays_nobody,
        a_server_that_says_nothing,
        it_is_tried_less_and_less,
        what_comes_from_there_wakes_the_link,
        what_is_owed_is_little,
        very_many_retractions,
        very_many_authors,
        it_comes_after_an_outage,
        it_outlives_a_restart,
        it_outlives_kill9,
        what_a_kill_lost_is_found,
        a_link_is_killed,
        all_links_are_killed,
        an_author_leaves_meanwhile,
        nothing_is_left_behind,
        no_error_but_of_killed_processes
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

init_per_testcase(no_error_but_of_killed_processes, Config) ->
    Config;
init_per_testcase(Case, Config) ->
    Domain = <<(binary:replace(atom_to_binary(Case), <<"_">>, <<"-">>, [global]))/binary, ".test">>,
    Known = [{domain, Domain} | Config],
    [{elsewhere, relays(Known)} | Known].

end_per_testcase(no_error_but_of_killed_processes, _Config) ->
    ok;
end_per_testcase(_Case, Config) ->
    twitter_played:stop(elsewhere(Config)).

relays(Config) ->
    Options = #{services => [{<<"pubsub.", (domain(Config))/binary>>, [twitter_relay:ns()]}]},
    twitter_played:start(server(Config), domain(Config), Options).

%%% Down

a_dead_server_delays_nobody(Config) ->
    Options = #{services => [{<<"pubsub.dead.test">>, [twitter_relay:ns()]}], dead => true},
    Dead = twitter_played:start(server(Config), <<"dead.test">>, Options),
    [Alice, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"carol">>]),
    ok = contact(Config, Alice, <<"bob">>, both),
    ok = twitter_users:set_contact(server(Config), twitter_cases:user(Alice), {<<"erin">>, <<"dead.test">>}, both),
    Began = erlang:monotonic_time(millisecond),
    Ids = [twitter_requests:publish(Alice, integer_to_binary(N)) || N <- lists:seq(1, 20)],
    _ = twitter_client:expect(Carol, twitter_events:is_event(<<"/twitter/FriendsStream">>, lists:last(Ids))),
    ?assertEqual(lists:sort(Ids), lists:usort(await(Config, lists:last(Ids)))),
    ?assert(erlang:monotonic_time(millisecond) - Began < 5_000),
    %% It was asked what it can do.
    2 = length(twitter_played:questions(Dead)),
    [] = twitter_played:all(Dead),
    ok = twitter_played:stop(Dead).

%% It takes what comes, and does not answer.
a_server_that_says_nothing(Config) ->
    Alice = author(Config),
    ok = twitter_played:answer(elsewhere(Config), [silence]),
    Id = twitter_requests:publish(Alice, <<"One">>),
    Other = twitter_requests:publish(Alice, <<"Two">>),
    ?assertEqual([Id], ids(Config, [next(Config)])),
    [] = twitter_played:all(elsewhere(Config)),
    [_ | _] = Owed = owed(Config),
    ?assert(length(Owed) =< 2),
    %% After 20 seconds nobody waits for that answer any more.
    ?assertEqual([Id, Other], lists:uniq(await(Config, Other, 30_000))).

it_is_tried_less_and_less(Config) ->
    Alice = author(Config),
    ok = down(Config, true),
    _ = twitter_requests:publish(Alice, <<"One">>),
    true = is_settled(Config),
    ok = sleep(Config, 8_000),
    Tried = length(twitter_played:questions(elsewhere(Config))),
    %% After 1, 3 and 7 seconds again; each time with two questions.
    ?assert(Tried >= 6),
    ?assert(Tried =< 10).

what_comes_from_there_wakes_the_link(Config) ->
    Alice = author(Config),
    ok = down(Config, true),
    Id = twitter_requests:publish(Alice, <<"One">>),
    true = is_settled(Config),
    ok = sleep(Config, 8_000),
    ok = down(Config, false),
    %% The next try would be after 8 seconds more.
    heard(Config),
    ?assertEqual([Id], lists:uniq(await(Config, Id, 3_000))),
    ok = finish(Config),
    %% That it hears something when nobody waits does nothing.
    heard(Config),
    true = is_quiet(Config).

%%% How much is kept

what_is_owed_is_little(Config) ->
    Alice = author(Config),
    ok = down(Config, true),
    Ids = [twitter_requests:publish(Alice, integer_to_binary(N)) || N <- lists:seq(1, 200)],
    true = is_settled(Config),
    ?assert(length(owed(Config)) =< 53),
    ok = down(Config, false),
    heard(Config),
    Relays = relays_until(Config, lists:last(Ids), []),
    %% All of them, in their order, in few stanzas.
    ?assertEqual(Ids, lists:uniq(ids_of(Relays))),
    ?assert(length(Relays) =< 8),
    ?assertEqual([false], lists:usort([Quiet || #{quiet := Quiet} <- Relays])),
    true = is_quiet(Config),
    [] = owed(Config).

%% What is left is published anew, and pushed to nobody.
very_many_retractions(Config) ->
    Alice = author(Config),
    Kept = [twitter_requests:publish(Alice, integer_to_binary(N)) || N <- lists:seq(1, 3)],
    _ = await(Config, lists:last(Kept)),
    true = is_settled(Config),
    _ = twitter_played:all(elsewhere(Config)),
    ok = down(Config, true),
    Now = erlang:system_time(microsecond),
    lists:foreach(
        fun(N) ->
            Id = <<"gone-", (integer_to_binary(N))/binary>>,
            ok = owe(Config, Alice, {retract, Id, Now + N}, Now + N - 1)
        end,
        lists:seq(1, 1001)
    ),
    ?assertMatch([{{owed, _, _, purge}, _, _}], owed(Config)),
    ok = down(Config, false),
    wake(Config),
    true = is_settled(Config),
    Relays = [Relay || {relay, Relay} <- decoded(Config, twitter_played:all(elsewhere(Config)))],
    Last = Now + 1001,
    [{purge, Last} | Again] = lists:append([Changes || #{changes := Changes} <- Relays]),
    ?assertEqual(Kept, [Id || {item, Id, _, Version, _} <- Again, Version > Last]),
    ?assertEqual([true], lists:usort([Quiet || #{quiet := Quiet, changes := [{item, _, _, _, _} | _]} <- Relays])),
    [] = owed(Config).

very_many_authors(Config) ->
    ok = down(Config, true),
    Now = erlang:system_time(microsecond),
    Before = twitter_server:call(server(Config), ets, info, [?TABLE, size]),
    lists:foreach(
        fun(N) ->
            Author = <<"author", (integer_to_binary(N))/binary, "@localhost">>,
            [
                ok = call(twitter_outbox, owe, Config, [?TABLE, peer(Config), Author, {item, Id, Now + N}, Now + N - 1])
             || Id <- [<<"1">>, <<"2">>, <<"3">>, <<"4">>]
            ]
        end,
        lists:seq(1, 1500)
    ),
    Rows = twitter_server:call(server(Config), ets, info, [?TABLE, size]) - Before,
    %% Of most, that there is something.
    ?assert(Rows < 2000 + 2 * 1500),
    true = 0 < call(twitter_outbox, expire, Config, [?TABLE, peer(Config), Now + 10_000]),
    [] = owed(Config).

%%% Back again

it_comes_after_an_outage(Config) ->
    Alice = author(Config),
    First = twitter_requests:publish(Alice, <<"First">>),
    _ = await(Config, First),
    true = is_settled(Config),
    _ = twitter_played:all(elsewhere(Config)),
    ok = down(Config, true),
    Gone = twitter_requests:publish(Alice, <<"Deleted soon">>),
    Edited = twitter_requests:publish(Alice, <<"Edited soon">>),
    Edited = twitter_requests:publish(Alice, Edited, <<"Edited">>),
    ok = twitter_requests:retract(Alice, Gone),
    ok = twitter_requests:retract(Alice, First),
    Last = twitter_requests:publish(Alice, <<"Last">>),
    true = is_settled(Config),
    ok = down(Config, false),
    heard(Config),
    Relays = relays_until(Config, Last, []),
    Changes = lists:uniq(lists:append([Some || #{changes := Some} <- Relays])),
    ?assertMatch(
        [{item, Edited, _, _, _}, {retract, Gone, _}, {retract, First, _}, {item, Last, _, _, _}], Changes
    ),
    ?assertEqual([<<"Edited">>, <<"Last">>], texts(Changes)),
    true = is_quiet(Config).

it_outlives_a_restart(Config) ->
    outlives(Config, fun(Server) -> twitter_server:restart(Server) end, fun(_) -> ok end).

%% What was owed to a server that did not answer was written down.
it_outlives_kill9(Config) ->
    Kill = fun(Server) ->
        ok = twitter_server:kill9(Server),
        twitter_server:restart(Server)
    end,
    outlives(Config, Kill, fun(Id) -> await_written(Config, Id) end).

outlives(Config, Restart, Await) ->
    Alice = author(Config),
    First = twitter_requests:publish(Alice, <<"First">>),
    _ = await(Config, First),
    true = is_settled(Config),
    ok = down(Config, true),
    One = twitter_requests:publish(Alice, <<"One">>),
    ok = twitter_requests:retract(Alice, First),
    Two = twitter_requests:publish(Alice, <<"Two">>),
    true = is_settled(Config),
    ok = Await(Two),
    ok = Restart(server(Config)),
    %% It cannot be reached at first.
    Again = relays(Config),
    Relays = relays_until([{elsewhere, Again} | Config], Two, []),
    Changes = lists:uniq(lists:append([Some || #{changes := Some} <- Relays])),
    ?assertMatch([{item, One, _, _, _}, {retract, First, _}, {item, Two, _, _, _}], Changes),
    true = is_quiet(Config),
    [] = owed(Config).

%% The author's next post says what came before it.
what_a_kill_lost_is_found(Config) ->
    User = twitter_users:fresh(server(Config), <<"alice">>),
    Alice = twitter_users:login(server(Config), User),
    ok = contact(Config, Alice, <<"bob">>, both),
    [First, _Lost] = [twitter_requests:publish(Alice, Text) || Text <- [<<"First">>, <<"Lost">>]],
    true = is_settled(Config),
    Relays = [Relay || {relay, Relay} <- decoded(Config, twitter_played:all(elsewhere(Config)))],
    Versions = maps:from_list([{Id, V} || #{changes := Changes} <- Relays, {item, Id, _, V, _} <- Changes]),
    ok = twitter_server:kill9(server(Config)),
    ok = twitter_server:restart(server(Config)),
    Again = relays(Config),
    Now = [{elsewhere, Again} | Config],
    Alice2 = twitter_users:login(server(Config), User),
    %% As if it had only the first.
    ok = twitter_played:answer(Again, [{missed, maps:get(First, Versions)}]),
    Id = twitter_requests:publish(Alice2, <<"After">>),
    {relay, #{'after' := After}} = hd(decoded(Now, [next(Now)])),
    ?assertEqual(lists:max(maps:values(Versions)), After),
    _ = Id,
    true = is_settled(Now),
    [#{quiet := true, changes := Missed}] =
        lists:uniq([Relay#{sent := 0} || {relay, Relay} <- decoded(Now, twitter_played:all(Again))]),
    ?assertEqual([<<"Lost">>], texts(Missed)),
    true = is_quiet(Now).

%%% Killed

a_link_is_killed(Config) ->
    Alice = author(Config),
    ok = twitter_played:answer(elsewhere(Config), [silence]),
    Id = twitter_requests:publish(Alice, <<"One">>),
    ?assertEqual([Id], ids(Config, [next(Config)])),
    Link = call(twitter_outbox, link, Config, [?TABLE, peer(Config)]),
    true = twitter_server:call(server(Config), erlang, exit, [Link, kill]),
    %% The next one sends it again: what was recorded is recorded once.
    ?assertEqual([Id], lists:uniq(await(Config, Id))),
    ok = finish(Config),
    [] = owed(Config).

all_links_are_killed(Config) ->
    Alice = author(Config),
    ok = twitter_played:answer(elsewhere(Config), [silence]),
    Id = twitter_requests:publish(Alice, <<"One">>),
    ?assertEqual([Id], ids(Config, [next(Config)])),
    Former = twitter_inside:kill(server(Config), twitter_links_localhost),
    ok = twitter_inside:await_other(server(Config), twitter_links_localhost, Former),
    ?assertEqual([Id], lists:uniq(await(Config, Id))),
    ok = finish(Config),
    [] = owed(Config).

%% Nothing of a deleted account is sent, but that it is gone.
an_author_leaves_meanwhile(Config) ->
    Alice = author(Config),
    ok = down(Config, true),
    _ = twitter_requests:publish(Alice, <<"Secret">>),
    true = is_settled(Config),
    ok = twitter_users:unregister(server(Config), twitter_cases:user(Alice)),
    true = is_settled(Config),
    ok = down(Config, false),
    heard(Config),
    _ = next(Config),
    true = is_settled(Config),
    Relays = [Relay || {relay, Relay} <- decoded(Config, twitter_played:all(elsewhere(Config)))],
    ?assertMatch([[{purge, _}]], lists:usort([Changes || #{changes := Changes} <- Relays])).

nothing_is_left_behind(Config) ->
    Alice = author(Config),
    Id = twitter_requests:publish(Alice, <<"One">>),
    _ = await(Config, Id),
    ok = finish(Config),
    [] = [Peer || {_, Domain} = Peer <- call(twitter_outbox, linked, Config, [?TABLE]), Domain =:= domain(Config)],
    [] = owed(Config),
    [] = call(twitter_awaited, by, Config, [<<"localhost">>, {server, domain(Config)}]).

no_error_but_of_killed_processes(Config) ->
    twitter_cases:no_error_but_of_killed_processes(Config).

%%% Helpers

server(Config) -> twitter_cases:server(Config).

elsewhere(Config) -> proplists:get_value(elsewhere, Config).

domain(Config) -> proplists:get_value(domain, Config).

peer(Config) -> {?HOST, domain(Config)}.

next(Config) -> twitter_played:next(elsewhere(Config)).

is_settled(Config) -> ok =:= twitter_server:settle(server(Config), ?HOST).

is_quiet(Config) -> twitter_played:is_quiet(elsewhere(Config)).

%% What comes to an end there is not looked at.
finish(Config) ->
    true = is_settled(Config),
    _ = twitter_played:all(elsewhere(Config)),
    ok.

call(Module, Function, Config, Args) -> twitter_server:call(server(Config), Module, Function, Args).

down(Config, Is) -> twitter_played:change(elsewhere(Config), #{down => Is}).

%% Some time passes on the server, in which it is to do little.
sleep(Config, Ms) -> twitter_server:call(server(Config), timer, sleep, [Ms]).

author(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    ok = contact(Config, Alice, <<"bob">>, both),
    Alice.

contact(Config, Author, Name, Subscription) ->
    twitter_users:set_contact(server(Config), twitter_cases:user(Author), {Name, domain(Config)}, Subscription).

owed(Config) ->
    Rows = twitter_server:call(server(Config), ets, tab2list, [?TABLE]),
    Peer = peer(Config),
    [Row || Row <- Rows, lists:member(element(1, element(1, Row)), [owed, begun]), element(2, element(1, Row)) =:= Peer].

owe(Config, Author, Change, After) ->
    call(twitter_outbox, owe, Config, [?TABLE, peer(Config), twitter_client:bare(Author), Change, After]).

wake(Config) ->
    ok = call(twitter_links, wake, Config, [<<"localhost">>, [peer(Config)]]).

%% Something comes from there by a connection between servers.
heard(Config) ->
    Stanza = #message{
        from = #jid{user = <<"bob">>, luser = <<"bob">>, server = domain(Config), lserver = domain(Config)},
        to = #jid{server = <<"localhost">>, lserver = <<"localhost">>}
    },
    {Stanza, state} = call(ejabberd_hooks, run_fold, Config, [s2s_receive_packet, <<"localhost">>, {Stanza, state}, []]).

await_written(Config, Id) ->
    Rows = call(twitter_outbox, read, Config, [<<"localhost">>]),
    case binary:match(term_to_binary(Rows), Id) of
        nomatch -> await_written(Config, Id);
        _ -> ok
    end.

%% The ids of all posts that have come when this one has.
await(Config, Id) ->
    await(Config, Id, 10_000).

await(Config, Id, Timeout) ->
    ids_of(relays_until(Config, Id, [], Timeout)).

relays_until(Config, Id, Before) ->
    relays_until(Config, Id, Before, 10_000).

relays_until(Config, Id, Before, Timeout) ->
    #xmlel{} = Stanza = twitter_played:next(elsewhere(Config), Timeout),
    Relays = Before ++ [Relay || {relay, Relay} <- decoded(Config, [Stanza])],
    case lists:member(Id, ids_of(Relays)) of
        true -> Relays;
        false -> relays_until(Config, Id, Relays, Timeout)
    end.

ids(Config, Stanzas) ->
    ids_of([Relay || {relay, Relay} <- decoded(Config, Stanzas)]).

ids_of(Relays) ->
    [Id || #{changes := Changes} <- Relays, {item, Id, _, _, _} <- Changes].

decoded(Config, Stanzas) ->
    [
        call(twitter_relay, decode, Config, [El])
     || #xmlel{name = <<"iq">>, children = Children} <- Stanzas, #xmlel{} = El <- Children
    ].

texts(Changes) ->
    [Text || {item, _, _, _, Payload} <- Changes, {xmlcdata, Text} <- twitter_post:unwrap(Payload)].
