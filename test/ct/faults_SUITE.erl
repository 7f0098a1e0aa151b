%%% Workers of the fan-out are killed while they send. What they had to send goes out all the same: to each
%%% session once, in the order of its author, and to nobody who has no right to it by then.
-module(faults_SUITE).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([
    each_session_gets_each_post_once/1,
    who_was_removed_meanwhile_gets_nothing/1,
    posts_are_published_while_there_is_no_worker/1,
    posts_of_other_nodes_wait_like_those_of_this_one/1,
    no_error_was_logged/1,
    a_post_that_kills_its_workers_is_given_up/1
]).
%% Hooks on the server under test.
-export([kill_in_the_middle/4, kill_for_deadly/1]).

-define(HOST, <<"localhost">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(AUTHORS, 4).
-define(LISTENERS, 120).
-define(POSTS, 40).
%% After so many results, about, a worker is killed.
-define(RESULTS, 4).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [{group, fast}, {group, full}].

groups() ->
    Cases = [
        each_session_gets_each_post_once,
        who_was_removed_meanwhile_gets_nothing,
        posts_are_published_while_there_is_no_worker,
        posts_of_other_nodes_wait_like_those_of_this_one,
        no_error_was_logged
    ],
    %% That one is logged.
    [{fast, [], Cases}, {full, [], Cases ++ [a_post_that_kills_its_workers_is_given_up]}].

init_per_suite(Config) -> Config.

end_per_suite(_Config) -> ok.

init_per_group(Way, Config) ->
    twitter_cases:start(Config, #{name => atom_to_list(Way), twitter => #{delivery => Way}}).

end_per_group(_Way, Config) ->
    twitter_cases:stop(Config).

%%% Killed at any moment

each_session_gets_each_post_once(Config) ->
    Server = twitter_cases:server(Config),
    Authors = twitter_cases:strangers(Config, lists:duplicate(?AUTHORS, <<"alice">>)),
    Names = [twitter_client:bare(Author) || Author <- Authors],
    %% To every author there is somebody who hears no other one, and somebody who does not hear him.
    Listeners = [listener(Server, Authors, N) || N <- lists:seq(1, ?LISTENERS)],
    Stranger = twitter_wire:open(Server, twitter_users:fresh(Server, <<"eve">>), #{}),
    Again = [twitter_users:login(Server, twitter_cases:user(Author)) || Author <- Authors],
    Ids = [integer_to_binary(N) || N <- lists:seq(1, ?POSTS)],
    Self = self(),
    Writers = [
        spawn_monitor(fun() ->
            [begin [_] = twitter_requests:publish_all(Author, [Id]), Self ! result end || Id <- Ids]
        end)
     || Author <- Authors
    ],
    Kills = kill_until_written(Server, Writers, 0),
    ct:pal("~b workers were killed", [Kills]),
    ?assert(Kills > ?AUTHORS * ?POSTS div ?RESULTS div 2),
    ok = settle(Server),
    [
        begin
            Posts = posts(Wire),
            [?assertEqual({Name, Ids}, {Name, ids_of(Name, Posts)}) || Name <- Heard],
            ?assertEqual([], [Post || {Name, _} = Post <- Posts, not lists:member(Name, Heard)])
        end
     || {Heard, Wires} <- Listeners, Wire <- Wires
    ],
    [
        ?assertEqual(Ids, [Id || {item, By, Id, _} <- twitter_events:posts(Server, Client), By =:= Name])
     || {Name, Client} <- lists:zip(Names, Again)
    ],
    ?assertEqual([], posts(Stranger)),
    [ok = twitter_wire:drop(Wire) || {_, Wires} <- Listeners, Wire <- Wires],
    ok = twitter_wire:drop(Stranger),
    ok = nothing_waits(Server).

%% A user with one or two clients who hears some of the authors; the others stand in his roster, too.
listener(Server, Authors, N) ->
    User = twitter_users:fresh(Server, <<"bob">>),
    Heard = [Author || {Nth, Author} <- lists:enumerate(Authors), N rem ?AUTHORS =/= Nth rem ?AUTHORS orelse N > 100],
    [ok = twitter_users:set_contact(Server, twitter_cases:user(Author), User, right(lists:member(Author, Heard)))
     || Author <- Authors],
    Wires = [twitter_wire:open(Server, User, #{}) || _ <- lists:seq(0, N rem 3 div 2)],
    {[twitter_client:bare(Author) || Author <- Heard], Wires}.

right(true) -> from;
right(false) -> to.

%% Kills some worker after some results, again and again.
kill_until_written(Server, Writers, Kills) ->
    case await_results(rand:uniform(2 * ?RESULTS - 1), Writers) of
        [] ->
            Kills;
        Left ->
            Workers = twitter_inside:workers(Server, twitter_fanout),
            Worker = lists:nth(rand:uniform(length(Workers)), Workers),
            ok = twitter_inside:await_other(Server, Worker, twitter_inside:kill(Server, Worker)),
            kill_until_written(Server, Left, Kills + 1)
    end.

await_results(0, Writers) ->
    Writers;
await_results(_Count, []) ->
    [];
await_results(Count, Writers) ->
    receive
        result -> await_results(Count - 1, Writers);
        {'DOWN', _, process, Writer, Reason} ->
            ?assertEqual(normal, Reason),
            await_results(Count, lists:keydelete(Writer, 1, Writers))
    end.

%%% Killed in the middle of a portion

%% The worker asks whether the third of them is blocked when all others are taken off the roster, and dies.
who_was_removed_meanwhile_gets_nothing(Config) ->
    Server = twitter_cases:server(Config),
    [Alice | Friends] = twitter_cases:friends(Config, [<<"alice">> | lists:duplicate(8, <<"bob">>)]),
    Term = {?MODULE, twitter_client:bare(Alice)},
    ok = twitter_server:call(Server, persistent_term, put, [Term, []]),
    twitter_cases:hooked(Config, privacy_check_packet, {?MODULE, kill_in_the_middle}, fun() ->
        _ = twitter_requests:publish(Alice, <<"a">>, <<"For three of them">>),
        ok = settle(Server)
    end),
    {done, Asked} = twitter_server:call(Server, persistent_term, get, [Term]),
    ?assertEqual(3, length(Asked)),
    [
        ?assertEqual([<<"a">> || lists:member(twitter_client:bare(Friend), Asked)], ids(Server, Friend))
     || Friend <- Friends
    ],
    true = twitter_server:call(Server, persistent_term, erase, [Term]),
    ok = nothing_waits(Server).

kill_in_the_middle(Acc, #jid{luser = LUser, lserver = LServer} = Author, #presence{to = To}, out) ->
    Term = {?MODULE, jid:encode(Author)},
    Reader = jid:encode(jid:remove_resource(To)),
    case persistent_term:get(Term, none) of
        Asked when is_list(Asked), length(Asked) < 2 ->
            persistent_term:put(Term, lists:usort([Reader | Asked]));
        Asked when is_list(Asked) ->
            Three = lists:usort([Reader | Asked]),
            persistent_term:put(Term, {done, Three}),
            [{atomic, _} = mod_roster:del_roster(LUser, LServer, jid:tolower(Contact))
             || #roster_item{jid = Contact} <- ejabberd_hooks:run_fold(roster_get, LServer, [], [{LUser, LServer}]),
                not lists:member(jid:encode(Contact), Three)],
            exit(self(), kill);
        _ ->
            ok
    end,
    Acc;
kill_in_the_middle(Acc, _, _, _) ->
    Acc.

%%% While there is none

posts_are_published_while_there_is_no_worker(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Worker = twitter_inside:worker(Server, twitter_fanout, Alice),
    Supervisor = supervisor_of(Server, Worker),
    %% It does not start another one.
    ok = twitter_inside:suspend(Server, [Supervisor]),
    Killed = twitter_inside:kill(Server, Worker),
    Ids = [<<"a">>, <<"b">>, <<"c">>],
    _ = twitter_requests:publish_all(Alice, Ids),
    ?assertEqual(undefined, twitter_server:call(Server, erlang, whereis, [Worker])),
    ok = twitter_inside:resume(Server, [Supervisor]),
    ok = twitter_inside:await_other(Server, Worker, Killed),
    %% Nobody has to ask for it.
    [#xmlel{} = twitter_client:expect(Bob, twitter_events:is_event(?FRIENDS, Id)) || Id <- Ids],
    ?assertEqual([], ids(Server, Bob)),
    ok = nothing_waits(Server).

supervisor_of(Server, Worker) ->
    Process = twitter_server:call(Server, erlang, whereis, [Worker]),
    {dictionary, Dictionary} = twitter_server:call(Server, erlang, process_info, [Process, dictionary]),
    hd(proplists:get_value('$ancestors', Dictionary)).

%% Another node of a cluster tells of them; it sends to other servers itself.
posts_of_other_nodes_wait_like_those_of_this_one(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    ok = twitter_cases:set_contact(Config, Alice, <<"carol@elsewhere.example">>, both),
    Worker = twitter_inside:worker(Server, twitter_fanout, Alice),
    Author = twitter_client:bare(Alice),
    Publisher = twitter_server:call(Server, jid, decode, [twitter_client:jid(Alice)]),
    #{routed := Routed} = counters(Server),
    Ids = [<<"a">>, <<"b">>],
    ok = twitter_inside:suspend(Server, [Worker]),
    [
        ok = twitter_server:call(Server, gen_server, call, [twitter_cluster_localhost, {told, [{post, #{
            host => <<"pubsub.localhost">>, author => Author, publisher => Publisher,
            what => {item, Id, [#xmlel{name = <<"x">>}]}, bytes => 1000, at => none, stored => 1, began => 1, owed_by => 'n1@other.example',
            version => 1
        }}]}])
     || Id <- Ids
    ],
    ?assertMatch(#{waiting := 2000}, counters(Server)),
    ok = twitter_inside:await_other(Server, Worker, twitter_inside:kill(Server, Worker)),
    ?assertEqual(Ids, ids(Server, Bob)),
    ?assertMatch(#{routed := Routed}, counters(Server)),
    ok = nothing_waits(Server).

%%% Killed by what is sent

a_post_that_kills_its_workers_is_given_up(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Worker = twitter_inside:worker(Server, twitter_fanout, Alice),
    [Eve, Carol] = neighbours(Config, Worker),
    twitter_cases:hooked(Config, sm_receive_packet, {?MODULE, kill_for_deadly}, fun() ->
        _ = twitter_requests:publish(Alice, <<"a">>, <<"Harmless">>),
        _ = twitter_requests:publish(Alice, <<"b">>, <<"Deadly">>),
        _ = twitter_requests:publish(Eve, <<"e">>, <<"Served by the same worker">>),
        _ = twitter_requests:publish(Alice, <<"c">>, <<"Harmless">>),
        ?assertEqual([<<"a">>, <<"c">>], ids(Server, Bob)),
        ?assertEqual([<<"e">>], ids(Server, Carol))
    end),
    ?assertEqual([<<"a">>, <<"b">>, <<"c">>], twitter_reading:ids(Bob, ?FRIENDS)),
    Complaint = <<"A post of ", (twitter_client:bare(Alice))/binary, " was not sent to all">>,
    ?assertMatch([_], binary:matches(twitter_server:log(Server), Complaint)),
    ok = nothing_waits(Server).

%% In a worker there is no session.
kill_for_deadly(#message{body = [#text{data = Text}]} = Message) ->
    _ = [exit(self(), kill) || binary:match(Text, <<"Deadly">>) =/= nomatch],
    Message;
kill_for_deadly(Packet) ->
    Packet.

%% An author whom this worker serves, and a friend of hers.
neighbours(Config, Worker) ->
    [Eve, Carol] = Clients = twitter_cases:friends(Config, [<<"eve">>, <<"carol">>]),
    case twitter_inside:worker(twitter_cases:server(Config), twitter_fanout, Eve) of
        Worker ->
            Clients;
        _ ->
            [ok = twitter_client:close(Client) || Client <- [Eve, Carol]],
            neighbours(Config, Worker)
    end.

no_error_was_logged(Config) ->
    twitter_cases:no_error_but_of_killed_processes(Config).

%%% Helpers

%% Publisher and id of all posts that have come.
posts(Wire) ->
    IsEvent = twitter_events:is_event(),
    [
        {Publisher, Id}
     || Stanza <- twitter_wire:stanzas(twitter_wire:sync(Wire)), IsEvent(Stanza),
        {item, Publisher, Id, _} <- twitter_events:entries(Stanza)
    ].

ids_of(Name, Posts) ->
    [Id || {Publisher, Id} <- Posts, Publisher =:= Name].

ids(Server, Client) ->
    [Id || {item, _, Id, _} <- twitter_events:posts(Server, Client)].

settle(Server) ->
    twitter_server:settle(Server, <<"pubsub.localhost">>).

counters(Server) ->
    twitter_server:call(Server, twitter_flow, counters, [?HOST]).

nothing_waits(Server) ->
    ok = settle(Server),
    ?assertMatch(#{waiting := 0}, counters(Server)),
    ok.
