%%% Numbers made of numbers.
-module(bench_stats).

-export([percentiles/2, spreads/2]).
-export_type([spread/0]).

-type spread() :: #{min := number(), median := number(), max := number()}.

%% @doc What half of the numbers do not exceed, and what 99 of a hundred do not.
-spec percentiles(Name :: binary(), [number(), ...]) -> #{atom() => number()}.
percentiles(Name, Numbers) ->
    #{
        binary_to_atom(<<Name/binary, "_p50">>) => percentile(50, Numbers),
        binary_to_atom(<<Name/binary, "_p99">>) => percentile(99, Numbers)
    }.

percentile(Percent, Numbers) ->
    lists:nth(max(1, ceil(length(Numbers) * Percent / 100)), lists:sort(Numbers)).

%% @doc The spread of each of these numbers over all series that have it.
-spec spreads(Names :: [atom()], Series :: [map()]) -> #{atom() => spread()}.
spreads(Names, Series) ->
    maps:from_list([
        {Name, spread(Numbers)}
     || Name <- Names, Numbers <- [[Number || #{Name := Number} <- Series]], Numbers =/= []
    ]).

spread(Numbers) ->
    #{min => lists:min(Numbers), median => median(Numbers), max => lists:max(Numbers)}.

median(Numbers) ->
    Sorted = lists:sort(Numbers),
    Length = length(Sorted),
    case Length rem 2 of
        1 -> lists:nth(Length div 2 + 1, Sorted);
        0 -> (lists:nth(Length div 2, Sorted) + lists:nth(Length div 2 + 1, Sorted)) / 2
    end.
