%%% Results as files, and as lines for a person who waits.
-module(bench_report).

-export([line/1, write/2]).

-define(JSON, "bench/results/end_to_end.json").
-define(TABLES, "bench/RESULTS.md").
-define(BEGIN, <<"<!-- end_to_end:begin -->\n">>).
-define(END, <<"<!-- end_to_end:end -->\n">>).

%% @doc Prints one result.
-spec line(bench_fanout:result() | bench_reading:result()) -> ok.
line(#{followers := Followers, offline := Offline, posts := Posts, repeats := Repeats} = Result) ->
    #{memory_connected := #{rss_mb := Before}, memory_after := #{rss_mb := After}} = Result,
    io:format(
        "~-14ts ~b~ts~ts: ~ts us a delivery (~b posts x ~b), result ~ts/~ts ms, last ~ts/~ts ms, "
        "burst ~ts/s ~ts us, client ~ts us, RSS ~b/~b MB~ts~n",
        [
            map_get(peer, Result),
            Followers,
            [["+", integer_to_list(Offline)] || Offline > 0],
            [" acks" || map_get(acks, Result)],
            bench_tables:spread(server_us, 1, Result),
            Posts,
            Repeats
        ] ++
            [
                bench_tables:median(Key, 0.001, 2, Result)
             || Key <- [result_us_p50, result_us_p99, last_us_p50, last_us_p99]
            ] ++
            [
                bench_tables:median(burst_per_s, 1, 0, Result),
                bench_tables:median(burst_server_us, 1, 1, Result),
                bench_tables:median(client_us, 1, 1, Result),
                round(Before),
                round(After),
                [
                    io_lib:format(" FAILED: ~0p", [map_get(faults, Result)])
                 || bench_fanout:faults(Result) > 0
                ]
            ]
    );
line(#{friends := Friends, requests := Requests, times := Times, repeats := Repeats} = Result) ->
    io:format(
        "~-14ts ~b friends: ~b requests, at once ~ts/~ts ms, in turn ~ts/~ts ms, inside ~ts ms, "
        "server ~ts us a page (~b pages x ~b), ~b bytes~n",
        [map_get(peer, Result), Friends, Requests] ++
            [
                bench_tables:median(Key, 0.001, 2, Result)
             || Key <- [together_us_p50, together_us_p99, apart_us_p50, apart_us_p99, inside_us_p50]
            ] ++
            [
                bench_tables:spread(server_us_per_page, 0, Result),
                Times,
                Repeats,
                map_get(bytes, Result)
            ]
    ).

%% @doc Writes all numbers as JSON, and tables of them into the document.
-spec write(Args :: [string()], [{Scenario :: atom(), [map()]}]) -> ok.
write(Args, Results) ->
    About = about(Args),
    ok = filelib:ensure_dir(?JSON),
    ok = file:write_file(?JSON, [
        jiffy:encode(rounded(About#{results => maps:from_list(Results)}), [pretty]), $\n
    ]),
    Tables = unicode:characters_to_binary(bench_tables:all(About, Results)),
    {ok, Old} = file:read_file(?TABLES),
    New =
        case binary:split(Old, [?BEGIN, ?END], [global]) of
            [Before, _, After] -> [Before, ?BEGIN, Tables, ?END, After];
            [All] -> [All, "\n", ?BEGIN, Tables, ?END]
        end,
    ok = file:write_file(?TABLES, New).

%% Three digits behind the point are more than enough.
rounded(Number) when is_float(Number) -> round(Number * 1000) / 1000;
rounded(Map) when is_map(Map) -> maps:map(fun(_, Value) -> rounded(Value) end, Map);
rounded(List) when is_list(List) -> lists:map(fun rounded/1, List);
rounded(Other) -> Other.

%% Where and how it was measured.
about(Args) ->
    {ok, Memory} = file:read_file("/proc/meminfo"),
    {match, [Kb]} = re:run(Memory, "MemTotal:\\s*(\\d+)", [{capture, all_but_first, binary}]),
    _ = application:load(ejabberd),
    {ok, Ejabberd} = application:get_key(ejabberd, vsn),
    Command =
        case Args of
            [] -> "make bench-server";
            _ -> ["make bench-server ARGS='", lists:join(" ", Args), "'"]
        end,
    #{
        date => text(calendar:system_time_to_rfc3339(os:system_time(second), [{offset, "Z"}])),
        command => text(Command),
        cpu => cpu(),
        cores => erlang:system_info(logical_processors_available),
        memory_gb => binary_to_integer(Kb) / 1048576,
        kernel => text(string:trim(os:cmd("uname -s -r | cut -d- -f1"))),
        ejabberd => text(Ejabberd),
        otp => otp(),
        rustc => text(string:trim(os:cmd("rustc --version")))
    }.

cpu() ->
    {ok, Cpu} = file:read_file("/proc/cpuinfo"),
    case re:run(Cpu, "model name\\s*: (.*)", [{capture, all_but_first, binary}]) of
        {match, [Model]} -> Model;
        nomatch -> text(erlang:system_info(system_architecture))
    end.

otp() ->
    Release = erlang:system_info(otp_release),
    case file:read_file(filename:join([code:root_dir(), "releases", Release, "OTP_VERSION"])) of
        {ok, Version} -> string:trim(Version);
        {error, _} -> text(Release)
    end.

text(Characters) -> unicode:characters_to_binary(Characters).
