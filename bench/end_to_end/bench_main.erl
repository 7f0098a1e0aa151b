%%% What is measured, in which order.
-module(bench_main).

-export([run/2]).

%% @doc Runs what the command line asks for; the status of the program.
-spec run(Args :: [string()], Dir :: file:filename_all()) -> 0 | 1.
run(Args, Dir) ->
    case bench_options:parse(Args) of
        {ok, Options} ->
            measure(Args, Options, Dir);
        {help, Usage} ->
            io:put_chars(Usage),
            0;
        {error, Usage} ->
            io:put_chars(standard_error, Usage),
            1
    end.

measure(Args, #{scenarios := Scenarios, save := Save} = Options, Dir) ->
    try
        Results = [{Scenario, scenario(Scenario, Options, Dir)} || Scenario <- Scenarios],
        _ = [ok = bench_report:write(Args, Results) || Save],
        case lists:sum([bench_fanout:faults(One) || {_, All} <- Results, One <- All]) of
            0 -> 0;
            Faults ->
                io:format("FAILED: ~b deliveries were missing, superfluous or out of order~n", [Faults]),
                1
        end
    catch
        Class:Reason:Stack ->
            io:format("FAILED: ~ts~n", [failure(Class, Reason, Stack)]),
            1
    end.

failure(_, {load_client, Said}, _) ->
    Said;
failure(_, {load_client_ended, Status}, _) ->
    io_lib:format("the load client ended with status ~b", [Status]);
failure(_, {server_died, Name}, _) ->
    io_lib:format("the server of ~ts died", [Name]);
failure(_, {server_not_running, _}, _) ->
    "a server died";
failure(_, {not_started, Name, Log}, _) ->
    io_lib:format("the server of ~ts did not start: ~ts", [Name, Log]);
failure(Class, Reason, Stack) ->
    io_lib:format("~p: ~tp~n~tp", [Class, Reason, Stack]).

%% One setting, as the command line has it.
scenario(single, #{friends := [_ | _] = Friends} = Options, Dir) ->
    reading(Friends, Options, Dir);
scenario(single, #{followers := Followers} = Options, Dir) ->
    lists:append([fanout(Options, Dir, #{followers => Online}) || Online <- Followers]);
%% How it grows with the followers.
scenario(fanout, Options, Dir) ->
    lists:append([fanout(Options, Dir, #{followers => Online}) || Online <- sizes(Options)]);
%% Where everything fits in ejabberd's caches: by default they hold 1000 entries.
scenario(caches, Options, Dir) ->
    lists:append([
        fanout(Options, Dir, #{followers => Online, cache => 100_000})
     || Online <- sizes(Options), Online >= 1000
    ]);
%% Followers who are not there.
scenario(offline, #{quick := Quick} = Options, Dir) ->
    {Online, Offline} =
        case Quick of
            true -> {50, 950};
            false -> {500, 9500}
        end,
    lists:append([
        fanout(without_floor(Options), Dir, #{followers => Online, offline => More, cache => 100_000})
     || More <- [0, Offline]
    ]);
scenario(acks, Options, Dir) ->
    fanout(
        Options#{kinds := [Kind || Kind <- map_get(kinds, Options), lists:member(Kind, [twitter, pep])]},
        Dir,
        #{followers => 1000, acks => true, cache => 100_000}
    );
scenario(reading, #{quick := Quick} = Options, Dir) ->
    Friends =
        case Quick of
            true -> [10, 100];
            false -> [10, 100, 500]
        end,
    reading(Friends, Options, Dir).

sizes(#{followers := [_ | _] = Followers}) -> Followers;
sizes(#{quick := true}) -> [10, 1000];
sizes(#{}) -> [10, 100, 1000, 5000].

without_floor(#{kinds := Kinds} = Options) ->
    Options#{kinds := lists:delete(floor, Kinds)}.

fanout(Options, Dir, Changes) ->
    Setup = maps:merge(
        (maps:with([offline, cache, acks, posts], Options))#{
            dir => Dir,
            peers => peers(Options),
            cpu_us => cpu_us(Options),
            idle_ms => idle_ms(Options),
            repeats => repeats(Options)
        },
        Changes
    ),
    Results = bench_fanout:run(Setup),
    lists:foreach(fun bench_report:line/1, Results),
    Results.

reading(Friends, Options, Dir) ->
    Results = bench_reading:run(#{
        dir => Dir,
        peers => peers(without_floor(Options)),
        friends => Friends,
        cpu_us => cpu_us(Options),
        idle_ms => idle_ms(Options),
        repeats => repeats(Options)
    }),
    lists:foreach(fun bench_report:line/1, Results),
    Results.

cpu_us(#{quick := true}) -> 200_000;
cpu_us(#{}) -> 1_000_000.

idle_ms(#{quick := true}) -> 1000;
idle_ms(#{}) -> 2000.

repeats(#{repeats := default, quick := true}) -> 2;
repeats(#{repeats := default}) -> 5;
repeats(#{repeats := Repeats}) -> Repeats.

peers(#{kinds := Kinds, variants := Variants}) ->
    lists:append([
        case Kind of
            twitter ->
                [
                    #{kind => twitter, name => Name, options => Options}
                 || {Name, Options} <- [{"twitter", #{}} | [{"twitter/" ++ V, O} || {V, O} <- Variants]]
                ];
            _ ->
                [#{kind => Kind, name => atom_to_list(Kind), options => #{}}]
        end
     || Kind <- Kinds
    ]).
