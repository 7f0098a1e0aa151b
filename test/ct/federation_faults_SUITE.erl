%%% Servers that are down, restart or are killed while friends on another one post: afterwards nothing is missing,
%%% nothing is twice, and nobody else has waited.
-module(federation_faults_SUITE).

-include_lib("stdlib/include/assert.hrl").
-include_lib("fast_xml/include/fxml.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([
    a_connection_breaks/1,
    a_server_is_down/1,
    a_server_restarts_while_the_other_posts/1,
    the_author_s_server_restarts_meanwhile/1,
    a_server_is_killed/1,
    the_author_s_server_is_killed/1,
    a_connection_breaks_again_and_again/1,
    who_lost_his_right_meanwhile_gets_nothing/1,
    who_became_a_friend_meanwhile_gets_it/1,
    both_sides_post_while_nothing_connects_them/1,
    a_dead_server_delays_nobody/1,
    no_error_but_of_killed_processes/1
]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).
%% A server that comes back connects, asks and is asked.
-define(BACK_MS, 40_000).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [
        a_connection_breaks,
        a_server_is_down,
        a_server_restarts_while_the_other_posts,
        the_author_s_server_restarts_meanwhile,
        a_server_is_killed,
        the_author_s_server_is_killed,
        a_connection_breaks_again_and_again,
        who_lost_his_right_meanwhile_gets_nothing,
        who_became_a_friend_meanwhile_gets_it,
        both_sides_post_while_nothing_connects_them,
        a_dead_server_delays_nobody,
        no_error_but_of_killed_processes
    ].

init_per_suite(Config) ->
    {ok, _} = application:ensure_all_started(xmpp),
    twitter_federation:start(Config, #{a => #{}, b => #{twitter => #{catch_up => 100}}, c => twitter_federation:stock()}).

end_per_suite(Config) ->
    twitter_federation:stop(Config).

%%% Of one server to another

a_connection_breaks(Config) ->
    {Alice, Bob} = told(Config),
    ok = twitter_federation:cut(Config, a, b),
    ok = meanwhile(Alice),
    ok = twitter_federation:mend(Config, a, b),
    assert_caught_up(Config, Alice, Bob).

a_server_is_down(Config) ->
    {Alice, Bob} = told(Config),
    User = leave(Bob),
    ok = twitter_server:halt(server(Config, b)),
    ok = meanwhile(Alice),
    ok = twitter_server:restart(server(Config, b)),
    assert_caught_up(Config, Alice, twitter_federation:login(Config, User)).

%% What it had taken stands in storage, what it had not comes again.
a_server_restarts_while_the_other_posts(Config) ->
    {Alice, Bob} = told(Config),
    User = leave(Bob),
    Server = server(Config, b),
    {_, Restart} = spawn_monitor(fun() -> ok = twitter_server:restart(Server) end),
    More = [integer_to_binary(Number) || Number <- lists:seq(10, 60)],
    _ = publish(Alice, More),
    receive
        {'DOWN', Restart, process, _, Reason} -> ?assertEqual(normal, Reason)
    end,
    ok = meanwhile(Alice),
    assert_caught_up(Config, Alice, twitter_federation:login(Config, User)).

the_author_s_server_restarts_meanwhile(Config) ->
    {Alice, Bob} = told(Config),
    Reader = leave(Bob),
    ok = twitter_server:halt(server(Config, b)),
    ok = meanwhile(Alice),
    Author = leave(Alice),
    ok = twitter_server:restart(server(Config, a)),
    ok = twitter_server:restart(server(Config, b)),
    assert_caught_up(Config, twitter_federation:login(Config, Author), twitter_federation:login(Config, Reader)).

a_server_is_killed(Config) ->
    {Alice, Bob} = told(Config),
    User = twitter_cases:user(Bob),
    _ = publish(Alice, [<<"10">>]),
    ok = twitter_server:kill9(server(Config, b)),
    ok = meanwhile(Alice),
    ok = twitter_server:restart(server(Config, b)),
    assert_caught_up(Config, Alice, twitter_federation:login(Config, User)).

the_author_s_server_is_killed(Config) ->
    {Alice, Bob} = told(Config),
    User = twitter_cases:user(Alice),
    ok = twitter_federation:cut(Config, a, b),
    ok = meanwhile(Alice),
    ok = written_down(Config, twitter_client:bare(Alice)),
    ok = twitter_server:kill9(server(Config, a)),
    ok = twitter_server:restart(server(Config, a)),
    ok = twitter_federation:mend(Config, a, b),
    Again = twitter_federation:login(Config, User),
    %% What a kill left unknown is found with her next post.
    _ = publish(Again, [<<"last">>]),
    assert_caught_up(Config, Again, Bob).

%% In the middle of what is said, and of its answer.
a_connection_breaks_again_and_again(Config) ->
    {Alice, Bob} = told(Config),
    [begin
        _ = publish(Alice, [integer_to_binary(Number)]),
        ok = twitter_federation:cut(Config, a, b),
        _ = publish(Alice, [integer_to_binary(Number + 100)]),
        ok = twitter_federation:mend(Config, a, b)
    end || Number <- lists:seq(10, 30)],
    ok = meanwhile(Alice),
    assert_caught_up(Config, Alice, Bob).

%% Rights are those of the moment at which it is sent.
who_lost_his_right_meanwhile_gets_nothing(Config) ->
    {Alice, Bob} = told(Config),
    Dave = client(Config, b, <<"dave">>),
    ok = befriend(Config, Alice, Dave),
    _ = publish(Alice, [<<"both">>]),
    ?assertMatch([{item, _, <<"both">>, _}], twitter_federation:posts(Config, a, Dave)),
    ok = twitter_federation:cut(Config, a, b),
    _ = publish(Alice, [<<"secret">>]),
    ok = twitter_users:block(Alice, twitter_client:bare(Dave)),
    ok = twitter_federation:mend(Config, a, b),
    #xmlel{} = twitter_federation:await(Bob, <<"secret">>, ?BACK_MS),
    ?assertEqual([], twitter_federation:posts(Config, a, Dave)),
    [?assertEqual([], twitter_reading:posts(Dave, Node)) || Node <- [?FRIENDS, of_friend(Alice)]],
    ?assertEqual(twitter_reading:entries(Alice, <<"/twitter/MyStream">>), twitter_reading:entries(Bob, ?FRIENDS)).

who_became_a_friend_meanwhile_gets_it(Config) ->
    {Alice, Bob} = told(Config),
    Dave = client(Config, b, <<"dave">>),
    ok = twitter_federation:cut(Config, a, b),
    _ = publish(Alice, [<<"news">>]),
    ok = befriend(Config, Alice, Dave),
    ok = twitter_federation:mend(Config, a, b),
    [#xmlel{} = twitter_federation:await(Reader, <<"news">>, ?BACK_MS) || Reader <- [Bob, Dave]],
    ?assertEqual([<<"news">>], twitter_reading:ids(Dave, ?FRIENDS)).

both_sides_post_while_nothing_connects_them(Config) ->
    {Alice, Bob} = told(Config),
    ok = twitter_federation:cut(Config, a, b),
    ok = meanwhile(Alice),
    _ = publish(Bob, [<<"hello">>, <<"there">>]),
    ok = twitter_federation:mend(Config, a, b),
    [#xmlel{} = twitter_federation:await(Alice, Id, ?BACK_MS) || Id <- [<<"hello">>, <<"there">>]],
    ?assertEqual([<<"hello">>, <<"there">>], twitter_reading:ids(Alice, ?FRIENDS)),
    assert_caught_up(Config, Alice, Bob).

%%% Of one server and a third

a_dead_server_delays_nobody(Config) ->
    Alice = client(Config, a, <<"alice">>),
    Bob = client(Config, b, <<"bob">>),
    Carols = [twitter_federation:user(Config, c, <<"carol">>) || _ <- lists:seq(1, 20)],
    ok = befriend(Config, Alice, Bob),
    [ok = twitter_federation:befriend(Config, twitter_cases:user(Alice), Carol) || Carol <- Carols],
    _ = publish(Alice, [<<"first">>]),
    #xmlel{} = twitter_federation:await(Bob, <<"first">>, ?BACK_MS),
    ok = twitter_federation:cut(Config, a, c),
    Times = [begin
        Id = integer_to_binary(Number),
        Began = erlang:monotonic_time(millisecond),
        _ = publish(Alice, [Id]),
        #xmlel{} = twitter_federation:await(Bob, Id, 10_000),
        erlang:monotonic_time(millisecond) - Began
    end || Number <- lists:seq(1, 20)],
    ct:pal("milliseconds to b while c is dead: ~w", [Times]),
    ?assert(lists:max(Times) < 3_000),
    ok = twitter_federation:mend(Config, a, c).

no_error_but_of_killed_processes(Config) ->
    [ok = twitter_cases:no_error_but_of_killed_processes([{server, server(Config, Name)}]) || Name <- [a, b]],
    ok.

%%% Helpers

%% Bob has heard of Alice.
told(Config) ->
    Alice = client(Config, a, <<"alice">>),
    Bob = client(Config, b, <<"bob">>),
    ok = befriend(Config, Alice, Bob),
    _ = publish(Alice, [<<"kept">>, <<"edited">>, <<"retracted">>]),
    ?assertMatch([_, _, _], twitter_federation:posts(Config, a, Bob)),
    {Alice, Bob}.

%% What Alice does while Bob's server hears nothing.
meanwhile(Alice) ->
    _ = publish(Alice, [<<"1">>, <<"2">>, <<"3">>]),
    <<"edited">> = twitter_requests:publish(Alice, <<"edited">>, <<"Better">>),
    <<"2">> = twitter_requests:publish(Alice, <<"2">>, <<"Better, too">>),
    ok = twitter_requests:retract(Alice, <<"retracted">>),
    ok = twitter_requests:retract(Alice, <<"3">>),
    _ = publish(Alice, [<<"4">>]),
    ok.

%% The push comes by itself; what is read then is what the author reads, and nothing was pushed twice.
assert_caught_up(Config, Alice, Bob) ->
    Last = lists:last(twitter_reading:ids(Alice, <<"/twitter/MyStream">>)),
    Event = await_heard(Bob, Last),
    Others = twitter_federation:posts(Config, a, Bob),
    Whole = twitter_reading:stream(Alice, <<"/twitter/MyStream">>),
    [?assertEqual(Whole, twitter_reading:stream(Bob, Node)) || Node <- [?FRIENDS, of_friend(Alice)]],
    Pushed = Others ++ twitter_events:entries(Event),
    Items = [{Id, Payload} || {item, _, Id, Payload} <- Pushed],
    ?assertEqual([], Items -- lists:usort(Items)).

%% What is owed to a server that cannot be reached is written down within seconds.
written_down(Config, Author) ->
    Rows = twitter_server:call(server(Config, a), twitter_outbox, read, [<<"a.test">>]),
    case [Id || {{owed, _, Of, {_, Id}}, _, _} <- Rows, Of =:= Author, Id =:= <<"4">>] of
        [] -> written_down(Config, Author);
        [_] -> twitter_stored:sync(server(Config, a))
    end.

await_heard(Bob, Id) ->
    twitter_federation:await(Bob, Id, ?BACK_MS).

server(Config, Name) ->
    twitter_federation:server(Config, Name).

client(Config, Name, User) ->
    twitter_federation:login(Config, twitter_federation:user(Config, Name, User)).

befriend(Config, One, Other) ->
    twitter_federation:befriend(Config, twitter_cases:user(One), twitter_cases:user(Other)).

leave(Client) ->
    User = twitter_cases:user(Client),
    ok = twitter_client:close(Client),
    User.

publish(Author, Ids) ->
    twitter_requests:publish_all(Author, Ids).

of_friend(Client) ->
    <<"/twitter/MyFriends/", (twitter_client:bare(Client))/binary>>.
