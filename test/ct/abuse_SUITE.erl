%%% The memory of a server under people who do the same over and over, and full of people who never
%%% come. native/core/tests/abuse.rs has the millions.
-module(abuse_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([
    one_post_is_edited_over_and_over/1,
    pages_are_asked_for_over_and_over/1,
    friends_never_log_in/1,
    no_error_was_logged/1
]).
%% Run in the server under test.
-export([usage/0]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
%% What an allocator may keep, in bytes.
-define(SLACK, 40_000_000).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [
        one_post_is_edited_over_and_over,
        pages_are_asked_for_over_and_over,
        friends_never_log_in,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    %% In SQL more friends than ejabberd's caches hold would all be asked for on each page.
    Caches = #{cache_size => 10_000},
    Started = twitter_cases:start(Config, #{modules => #{mod_roster => Caches, mod_privacy => Caches}}),
    true = twitter_server:call(twitter_cases:server(Started), code, add_patha, [filename:dirname(code:which(?MODULE))]),
    Started.

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%% If each were kept anywhere, that would be 150 MB.
one_post_is_edited_over_and_over(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Text = binary:copy(<<"x">>, 50_000),
    Edit = fun(Count) ->
        lists:foreach(
            fun(N) ->
                _ = twitter_requests:publish(Alice, <<"a">>, <<(integer_to_binary(N))/binary, " ", Text/binary>>),
                _ = [twitter_reading:ids(Bob, ?FRIENDS) || N rem 10 =:= 0],
                _ = [twitter_events:posts(Server, Bob) || N rem 50 =:= 0]
            end,
            lists:seq(1, Count)
        )
    end,
    ok = unchanged(Config, fun() -> Edit(200) end, fun() -> Edit(3000) end),
    ?assertMatch([{_, <<"a">>, <<"3000 x", _/binary>>}], twitter_reading:entries(Bob, ?FRIENDS)).

%% With cursors that were given out, and others, true and false.
pages_are_asked_for_over_and_over(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Ids = [twitter_requests:publish(Alice, <<"Hello">>) || _ <- lists:seq(1, 30)],
    Page = fun(Rsm) -> twitter_requests:items(Bob, ?FRIENDS, #{rsm => Rsm}) end,
    Walk = fun(_) ->
        lists:foldl(
            fun(Id, Rsm) ->
                Answer = Page(Rsm),
                ?assertEqual([Id], twitter_answers:ids(Answer)),
                #{last := Last} = twitter_answers:page(Answer),
                <<"item-not-found">> = twitter_answers:refusal(Page(#{max => 1, 'after' => <<"?", Last/binary>>})),
                #{max => 1, 'after' => Last}
            end,
            #{max => 1},
            Ids
        )
    end,
    Walks = fun(Count) -> lists:foreach(Walk, lists:seq(1, Count)) end,
    ok = unchanged(Config, fun() -> Walks(10) end, fun() -> Walks(100) end).

friends_never_log_in(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Absent = [twitter_users:fresh(Server, <<"absent">>) || _ <- lists:seq(1, 1000)],
    [ok = twitter_users:befriend(Server, User, Friend) || User <- Absent, Friend <- [twitter_cases:user(Alice), twitter_cases:user(Bob)]],
    Chat = fun(Count) ->
        _ = [twitter_requests:publish(Author, <<"Is anybody there?">>) || _ <- lists:seq(1, Count), Author <- [Alice, Bob]],
        _ = [twitter_events:posts(Server, Client) || Client <- [Alice, Bob]],
        _ = [twitter_reading:ids(Bob, ?FRIENDS) || _ <- lists:seq(1, 20)],
        ok
    end,
    ok = unchanged(Config, fun() -> Chat(50) end, fun() -> Chat(300) end),
    #{pushed := Before} = counters(Server),
    ok = Chat(1),
    ?assertMatch(#{pushed := After} when After - Before =< 4, counters(Server)).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

%% After some of it, more of it takes no more memory; nothing waits, and nothing that runs is left.
unchanged(Config, Some, More) ->
    Server = twitter_cases:server(Config),
    ok = Some(),
    {Processes, Before} = usage(Server),
    ok = More(),
    {ProcessesAfter, After} = usage(Server),
    ct:log("~p bytes more", [After - Before]),
    ?assert(ProcessesAfter =< Processes),
    ?assert(After - Before < ?SLACK),
    ?assertMatch(#{waiting := 0, under_way := 0}, counters(Server)),
    ok.

usage(Server) ->
    ok = twitter_server:settle(Server, <<"pubsub.localhost">>),
    Processes = twitter_server:call(Server, ?MODULE, usage, []),
    Status = filename:join(["/proc", twitter_server:os_pid(Server), "status"]),
    {ok, Text} = file:read_file(Status),
    {match, [Kilobytes]} = re:run(Text, "VmRSS:\\s+([0-9]+) kB", [{capture, all_but_first, binary}]),
    {Processes, 1024 * binary_to_integer(Kilobytes)}.

usage() ->
    _ = [garbage_collect(Process) || Process <- processes()],
    length(processes()).

counters(Server) ->
    twitter_server:call(Server, twitter_flow, counters, [<<"localhost">>]).
