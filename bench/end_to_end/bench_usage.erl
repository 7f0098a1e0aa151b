%%% What a process of the operating system costs.
-module(bench_usage).

-export([cpu_us/1, rss_kb/1, memory/1]).

%% @doc CPU time so far, user and system, in steps of a tick of the kernel's clock.
-spec cpu_us(OsPid :: string()) -> non_neg_integer().
cpu_us(OsPid) ->
    {ok, Text} = file:read_file(["/proc/", OsPid, "/stat"]),
    %% The second field, in parentheses, may have anything in it.
    [_, Rest] = string:split(Text, <<") ">>, trailing),
    Fields = binary:split(Rest, <<" ">>, [global]),
    [User, System] = [binary_to_integer(lists:nth(N, Fields)) || N <- [12, 13]],
    (User + System) * tick_us().

%% Linux shows its times to programs in hundredths of a second, whatever its own clock.
tick_us() -> 10_000.

-spec rss_kb(OsPid :: string()) -> non_neg_integer().
rss_kb(OsPid) ->
    {ok, Text} = file:read_file(["/proc/", OsPid, "/status"]),
    {match, [Kb]} = re:run(Text, "VmRSS:\\s*(\\d+) kB", [{capture, all_but_first, binary}]),
    binary_to_integer(Kb).

%% @doc The memory of a server: what the system and what Erlang says.
-spec memory(twitter_server:server()) -> #{rss_mb := float(), erlang_mb := float()}.
memory(Server) ->
    #{
        rss_mb => rss_kb(twitter_server:os_pid(Server)) / 1024,
        erlang_mb => twitter_server:call(Server, erlang, memory, [total]) / 1048576
    }.
