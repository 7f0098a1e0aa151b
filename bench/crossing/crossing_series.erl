%%% How long a call takes: on average over many, or the longest of many.
-module(crossing_series).

-export([pair/4, longest/4, longest/5, in_process/1]).
-export_type([options/0, row/0]).

-type options() :: #{series := pos_integer(), series_ms := pos_integer(), quick := boolean()}.
-type row() :: #{atom() => term()}.
-type call() :: fun((N :: pos_integer()) -> term()).
%% What is called so many times, and what is done before each call, untimed.
-type work() :: {Calls :: pos_integer(), call() | {Before :: call(), call()}}.

%% @doc The same work in two ways, in turn: microseconds per call of each series. Before that both must
%% have the same result.
-spec pair(options(), What :: binary(), Ours :: fun(() -> term()), Obvious :: fun(() -> term())) -> row().
pair(#{series := Series, series_ms := Ms}, What, Ours, Obvious) ->
    same(What, Ours(), Obvious()),
    Counts = [{ours, Ours, count(Ours, Ms, 1)}, {obvious, Obvious, count(Obvious, Ms, 1)}],
    Times = [
        maps:from_list([{Who, alone(Count, Fun)} || {Who, Fun, Count} <- Counts])
     || _ <- lists:seq(1, Series)
    ],
    Spreads = #{ours := #{median := One}, obvious := #{median := Other}} =
        bench_stats:spreads([ours, obvious], Times),
    io:format("~-66ts ~10.2f us, ETS ~10.2f us~n", [What, One, Other]),
    Spreads#{what => What, calls => maps:from_list([{Who, Count} || {Who, _, Count} <- Counts])}.

same(_What, Result, Result) -> ok;
same(What, Ours, Obvious) -> error({differs, What, Ours, Obvious}).

%% So many calls take about that long.
count(Fun, Ms, Count) ->
    case alone(Count, Fun) * Count of
        Micros when Micros >= Ms * 500 -> Count;
        _ -> count(Fun, Ms, Count * 2)
    end.

%% In a process of its own, which begins with an empty heap.
alone(Count, Fun) ->
    in_process(fun() -> timed(fun(_) -> repeat(Count, Fun) end, 1) / 1000 / Count end).

repeat(0, _Fun) ->
    ok;
repeat(Count, Fun) ->
    _ = Fun(),
    repeat(Count - 1, Fun).

%% @doc What a function returns in a process of its own.
-spec in_process(fun(() -> Result)) -> Result.
in_process(Fun) ->
    {Pid, Monitor} = spawn_monitor(fun() -> exit({measured, Fun()}) end),
    receive
        {'DOWN', Monitor, process, Pid, {measured, Result}} -> Result;
        {'DOWN', Monitor, process, Pid, Reason} -> error(Reason)
    end.

%% @doc The longest of so many calls, in microseconds, of each series, and of 99.9 % of them.
-spec longest(options(), Name :: atom(), What :: binary(), work()) -> row().
longest(Options, Name, What, Work) ->
    longest(Options, Name, What, fun() -> Work end, fun(_) -> ok end).

%% @doc The same, with something to prepare and to put away for each series.
-spec longest(
    options(),
    Name :: atom(),
    What :: binary(),
    Prepare :: fun(() -> work()),
    After :: call()
) -> row().
longest(#{series := Series}, Name, What, Prepare, After) ->
    Times = [
        in_process(fun() ->
            {Calls, Fun} = Prepare(),
            _ = erlang:garbage_collect(),
            Nanos = atomics:new(Calls, []),
            ok = each(Calls, Fun, Nanos),
            _ = After(Calls),
            Sorted = lists:sort([atomics:get(Nanos, N) / 1000 || N <- lists:seq(1, Calls)]),
            #{
                longest => lists:last(Sorted),
                most => lists:nth(ceil(Calls * 0.999), Sorted),
                calls => Calls
            }
        end)
     || _ <- lists:seq(1, Series)
    ],
    #{calls := Calls} = hd(Times),
    Spreads = #{most := #{median := Most}, longest := #{median := Longest, max := Max}} =
        bench_stats:spreads([most, longest], Times),
    io:format("~-22ts ~-52ts ~6b calls: 99.9 % ~9.1f us, longest ~9.1f us (~.1f)~n", [
        Name, What, Calls, Most, Longest, Max
    ]),
    Spreads#{name => Name, what => What, calls => Calls}.

%% Times each call. They are kept outside of the heap, not to make garbage.
each(0, _Work, _Nanos) ->
    ok;
each(Left, {Before, Fun} = Work, Nanos) ->
    _ = Before(Left),
    ok = atomics:put(Nanos, Left, timed(Fun, Left)),
    each(Left - 1, Work, Nanos);
each(Left, Fun, Nanos) ->
    ok = atomics:put(Nanos, Left, timed(Fun, Left)),
    each(Left - 1, Fun, Nanos).

timed(Fun, N) ->
    Begun = erlang:monotonic_time(nanosecond),
    _ = Fun(N),
    erlang:monotonic_time(nanosecond) - Begun.
