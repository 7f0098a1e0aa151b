%%% A long random walk on a real server, beside a model that knows who must get what.
%%%
%%% `make soak' runs it for as long as it is told.
-module(walk_SUITE).

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([nobody_gets_what_is_not_his/1, no_error_was_logged/1]).

%% Of two dozen people. Of a thousand steps about four are restarts of the server.
-define(STEPS, 2000).
%% Seconds for a step, on a slow machine.
-define(SLOW, 1).

suite() ->
    Seconds = case limit() of
                  {steps, Steps} -> Steps * ?SLOW;
                  {seconds, Length} -> Length + 300
              end,
    [{timetrap, {seconds, Seconds}}].

all() ->
    [nobody_gets_what_is_not_his, no_error_was_logged].

init_per_suite(Config) ->
    Seed = seed(),
    Options = options(Seed),
    ct:pal("A walk with seed ~b; options of mod_twitter: ~tp", [Seed, Options]),
    [{seed, Seed} | twitter_cases:start(Config, #{twitter => Options})].

%% The contract is the same on both ways, and however little is remembered.
options(Seed) ->
    Ways = [#{}, #{delivery => full}, #{index_size => 20_000, cache_size => 2_000}],
    (lists:nth(Seed rem length(Ways) + 1, Ways))#{max_posts => 6, catch_up => 3}.

end_per_suite(Config) ->
    twitter_cases:stop(Config).

nobody_gets_what_is_not_his(Config) ->
    Seed = proplists:get_value(seed, Config),
    Steps = twitter_walk:run(twitter_cases:server(Config), Seed, limit()),
    ct:pal("~b steps with seed ~b", [Steps, Seed]),
    {comment, io_lib:format("~b steps with seed ~b", [Steps, Seed])}.

no_error_was_logged(Config) ->
    twitter_cases:no_error_but_of_killed_processes(Config).

limit() ->
    case {os:getenv("WALK_STEPS", ""), os:getenv("WALK_SECONDS", "")} of
        {"", ""} -> {steps, ?STEPS};
        {"", Seconds} -> {seconds, list_to_integer(Seconds)};
        {Steps, _} -> {steps, list_to_integer(Steps)}
    end.

seed() ->
    case os:getenv("WALK_SEED", "") of
        "" -> rand:uniform(1_000_000_000);
        Seed -> list_to_integer(Seed)
    end.
