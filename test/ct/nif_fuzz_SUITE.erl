%%% Any term in any argument of the Rust core, in a node of its own: it lives, makes no atoms, takes no
%%% memory because a number says so, and every call returns what it should or raises badarg.
%%%
%%% The seed is printed; SEED in the environment plays one again.
-module(nif_fuzz_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    every_function_is_tried/1,
    any_term_in_any_argument/1,
    something_wrong_inside_an_argument/1,
    what_is_deep_or_large/0,
    what_is_deep_or_large/1,
    sizes_of_any_size/1,
    normal_schedulers_are_not_held_up/1
]).

%% Kilobytes that the node may take more, when a number is large: the terms themselves, and no allocation.
-define(SOME_MEMORY, 200_000).
%% What the node may take at all, in kilobytes of addresses: an allocation of many gigabytes fails, which
%% ends it.
-define(ADDRESSES, "12000000").
%% Microseconds. They take a third of a millisecond; the machine may be busy.
-define(SHORT, 5_000).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [
        every_function_is_tried,
        any_term_in_any_argument,
        something_wrong_inside_an_argument,
        what_is_deep_or_large,
        sizes_of_any_size,
        normal_schedulers_are_not_held_up
    ].

init_per_suite(Config) ->
    Seed = case os:getenv("SEED") of
               false -> rand:uniform(1 bsl 32);
               Text -> list_to_integer(Text)
           end,
    ct:pal("SEED=~b", [Seed]),
    [{seed, Seed} | Config].

end_per_suite(_Config) ->
    ok.

%% A node for each: what ends it fails that case, and no other.
init_per_testcase(_Case, Config) ->
    Paths = [filename:dirname(code:which(Module)) || Module <- [twitter_nif, ?MODULE]],
    {ok, Peer, _} = peer:start_link(#{
        connection => standard_io,
        exec => {os:find_executable("sh"), ["-c", "ulimit -v " ?ADDRESSES "; exec \"$0\" \"$@\"", os:find_executable("erl")]},
        args => lists:append([["-pa", filename:absname(Path)] || Path <- Paths])
    }),
    %% Whatever loads a module or says something for the first time has done so.
    [] = peer:call(Peer, twitter_nif_fuzz, hostile, [1, 1], infinity),
    [] = peer:call(Peer, twitter_nif_fuzz, mutated, [1, 1, 1], infinity),
    [{peer, Peer}, {atoms, peer:call(Peer, twitter_nif_fuzz, atoms, [])} | Config].

end_per_testcase(_Case, Config) ->
    Peer = proplists:get_value(peer, Config),
    Atoms = peer:call(Peer, twitter_nif_fuzz, atoms, []),
    ok = peer:stop(Peer),
    case proplists:get_value(atoms, Config) of
        Atoms -> ok;
        Before -> {fail, {atoms, Before, Atoms}}
    end.

every_function_is_tried(Config) ->
    Exported = run(Config, module_info, [exports], twitter_nif) -- [{module_info, 0}, {module_info, 1}],
    Tried = [{Function, length(Args)} || {Function, Args} <- run(Config, functions, [])],
    ?assertEqual(lists:sort(Exported), lists:sort(Tried)).

any_term_in_any_argument(Config) ->
    ?assertEqual([], run(Config, hostile, [seed(Config), 200])).

something_wrong_inside_an_argument(Config) ->
    ?assertEqual([], run(Config, mutated, [seed(Config), 2000, 3])).

what_is_deep_or_large() ->
    [{timetrap, {minutes, 5}}].

what_is_deep_or_large(Config) ->
    [?assertEqual([], run(Config, large, [Function])) || {Function, _} <- run(Config, functions, [])].

sizes_of_any_size(Config) ->
    Numbers = [0, -1, 1 bsl 31 - 1, 1 bsl 31, 1 bsl 32 - 1, 1 bsl 32, 1 bsl 36, 1 bsl 40, 1 bsl 62, 1 bsl 63 - 1, 1 bsl 63, 1 bsl 64 - 1,
               1 bsl 64, 1 bsl 100],
    ok = run(Config, forget_peak, []),
    Before = run(Config, peak, []),
    ?assertEqual([], run(Config, sizes, [Numbers])),
    ?assert(run(Config, peak, []) - Before < ?SOME_MEMORY, {Before, run(Config, peak, [])}).

normal_schedulers_are_not_held_up(Config) ->
    Times = run(Config, slowest_of_normal, []),
    ct:pal("longest: ~p", [lists:sublist(lists:reverse(lists:keysort(2, Times)), 5)]),
    ?assertEqual([], [Call || {_, Micros} = Call <- Times, Micros > ?SHORT]).

%%% Helpers

seed(Config) ->
    proplists:get_value(seed, Config).

run(Config, Function, Args) ->
    run(Config, Function, Args, twitter_nif_fuzz).

run(Config, Function, Args, Module) ->
    peer:call(proplists:get_value(peer, Config), Module, Function, Args, infinity).
