%%% Posts brought to followers: what it costs the server, and how long it takes.
-module(bench_fanout).

-export([run/1, faults/1]).
-export_type([setup/0, result/0]).

-type setup() :: #{
    dir := file:filename_all(),
    peers := [bench_peers:peer()],
    %% Followers who are online, and more who are not.
    followers := pos_integer(),
    offline := non_neg_integer(),
    %% ejabberd's `cache_size'.
    cache := default | pos_integer(),
    %% Whether followers use stream management (XEP-0198).
    acks := boolean(),
    %% Posts of a series; `auto': as many as take the server `cpu_us'.
    posts := auto | pos_integer(),
    cpu_us := pos_integer(),
    %% How long nothing is done before each round, to see what the servers use all the same.
    idle_ms := pos_integer(),
    repeats := pos_integer()
}.
%% Of one peer: what JSON can express.
-type result() :: map().

-define(AUTHOR, <<"author00000">>).
-define(TIMEOUT, 60_000).

%% @doc Measures all peers, in turn.
-spec run(setup()) -> [result()].
run(#{dir := Dir, peers := Peers} = Setup) ->
    Common = #{
        dir => Dir,
        listener => #{backlog => 1024},
        modules => maps:from_list([{mod_stream_mgmt, #{}} || map_get(acks, Setup)]),
        options => maps:from_list([
            {loglevel, warning} | [{cache_size, Size} || Size <- [map_get(cache, Setup)], Size =/= default]
        ])
    },
    bench_stand:all(Peers, Common, fun(Stands) ->
        Prepared = [prepare(Stand, Setup) || Stand <- Stands],
        Rounds = [
            round(Number, Stands, Prepared, Setup)
         || Number <- lists:seq(1, map_get(repeats, Setup))
        ],
        [
            result(Stand, Setup, Known, Series)
         || {Stand, Known, Series} <- lists:zip3(Stands, Prepared, transposed(Rounds))
        ]
    end).

transposed([[] | _]) -> [];
transposed(Rows) -> [[hd(Row) || Row <- Rows] | transposed([tl(Row) || Row <- Rows])].

%% Accounts, friends, logins; then as many posts as are needed to know how many make a series.
prepare(Stand, #{followers := Online, offline := Offline, acks := Acks} = Setup) ->
    Server = bench_stand:server(Stand),
    Load = bench_stand:load(Stand),
    Kind = bench_stand:kind(Stand),
    All = Online + Offline,
    Names = [bench_inside:name(<<"follower">>, Number) || Number <- lists:seq(0, All - 1)],
    Inside = fun(Function, Args) ->
        ok = twitter_server:call(Server, bench_inside, Function, Args, infinity)
    end,
    Began = erlang:monotonic_time(millisecond),
    Inside(accounts, [<<"author">>, 1]),
    Inside(accounts, [<<"follower">>, All]),
    Inside(friends, [?AUTHOR, Names]),
    ok = bench_peers:prepare(Kind, Server, ?AUTHOR, All),
    Empty = bench_usage:memory(Server),
    Port = twitter_server:port(Server),
    Users = #{prefix => <<"author">>, first => 0, count => 1, role => speaker},
    _ = bench_load:connect(Load, Port, Users),
    Followers = Users#{prefix := <<"follower">>, count := Online, role := follower},
    _ = bench_load:connect(Load, Port, Followers),
    [_ = bench_load:call(Load, #{op => acknowledge}) || Acks],
    ok = bench_peers:connected(Kind, Server, Online),
    Ready = erlang:monotonic_time(millisecond),
    Posts = posts(Stand, Setup),
    ok = bench_load:settle(Load),
    #{
        posts => Posts,
        setup_ms => Ready - Began,
        memory_empty => Empty,
        memory_connected => bench_usage:memory(Server)
    }.

%% The posts of a series, found by ever longer ones, after one that fills the caches.
posts(Stand, #{followers := Online, posts := auto} = Setup) ->
    Few = max(3, 500 div Online),
    _ = publish(Stand, Setup, Few, false),
    posts(Stand, Setup, Few);
posts(Stand, #{posts := Posts} = Setup) ->
    _ = publish(Stand, Setup, Posts, false),
    Posts.

posts(Stand, #{cpu_us := Wanted} = Setup, Tried) ->
    Most = max_posts(bench_stand:kind(Stand)),
    Cpu = bench_stand:cpu_us(Stand),
    _ = publish(Stand, Setup, Tried, false),
    Used = bench_stand:cpu_us(Stand) - Cpu,
    if
        Used * 5 < Wanted, Tried < Most -> posts(Stand, Setup, min(Most, Tried * 3));
        true -> min(Most, max(10, ceil(Tried * Wanted / Used)))
    end.

%% An ordinary node keeps a thousand, then it tells its subscribers of each that goes; and what a post
%% costs grows with those that are kept. PEP keeps one.
max_posts(Kind) when Kind =:= twitter; Kind =:= plain -> 900;
max_posts(Kind) when Kind =:= pep; Kind =:= floor -> 9000.

publish(Stand, #{followers := Online}, Posts, Burst) ->
    bench_load:call(bench_stand:load(Stand), #{
        op => publish,
        user => ?AUTHOR,
        iq => bench_peers:publish(bench_stand:kind(Stand), ?AUTHOR, <<"{post}">>),
        posts => Posts,
        expect => Online,
        burst => Burst,
        timeout_ms => ?TIMEOUT,
        linger_ms => 200
    }).

%% Every series begins without posts.
reset(Stand) ->
    Args = [bench_stand:kind(Stand), ?AUTHOR],
    ok = twitter_server:call(bench_stand:server(Stand), bench_inside, reset, Args, infinity).

%% One series of each peer; every other round begins with the last one.
round(Number, Stands, Prepared, #{idle_ms := Milliseconds} = Setup) ->
    Idle = bench_stand:idle(Stands, Milliseconds),
    Turns = lists:zip3(Stands, Prepared, Idle),
    One = fun({Stand, #{posts := Posts}, IdleUs}) -> series(Stand, Setup, Posts, IdleUs) end,
    case Number rem 2 of
        1 -> lists:map(One, Turns);
        0 -> lists:reverse(lists:map(One, lists:reverse(Turns)))
    end.

series(Stand, #{followers := Online} = Setup, Posts, Idle) ->
    ok = reset(Stand),
    {Calm, Costs} = timed(Stand, Idle, fun() -> publish(Stand, Setup, Posts, false) end),
    Many = max(4, min(200, 20_000 div Online)),
    ok = reset(Stand),
    {Burst, BurstCosts} = timed(Stand, Idle, fun() -> publish(Stand, Setup, Many, true) end),
    #{<<"deliveries">> := Delivered, <<"wall_us">> := Wall} = Burst,
    Times = maps:merge(times(<<"result_us">>, Calm), times(<<"last_us">>, Calm)),
    Times#{
        posts => Posts,
        deliveries => map_get(<<"deliveries">>, Calm),
        idle_us_per_s => Idle,
        server_us => Costs / max(1, map_get(<<"deliveries">>, Calm)),
        server_ms_per_post => Costs / 1000 / Posts,
        client_us => map_get(<<"cpu_us">>, Calm) / max(1, map_get(<<"deliveries">>, Calm)),
        bytes => map_get(<<"bytes">>, Calm) / max(1, map_get(<<"deliveries">>, Calm)),
        burst_posts => Many,
        burst_per_s => Delivered * 1.0e6 / Wall,
        burst_server_us => BurstCosts / max(1, Delivered),
        faults => maps:from_list([
            {Fault, map_get(Fault, Calm) + map_get(Fault, Burst)}
         || Fault <- [<<"missing">>, <<"twice">>, <<"disordered">>]
        ])
    }.

%% What a series costs the server beyond what it uses anyway.
timed(Stand, Idle, Fun) ->
    Cpu = bench_stand:cpu_us(Stand),
    {Us, Result} = timer:tc(Fun),
    {Result, bench_stand:cpu_us(Stand) - Cpu - Idle * Us / 1.0e6}.

%% Half of the times, and the longest but one in a hundred, in microseconds.
times(Key, Series) ->
    case [Us || Us <- map_get(Key, Series), is_integer(Us)] of
        [] -> #{};
        Us -> bench_stats:percentiles(Key, Us)
    end.

result(Stand, Setup, Known, Series) ->
    Spreads = bench_stats:spreads(
        [
            server_us, server_ms_per_post, client_us, bytes, idle_us_per_s, burst_per_s,
            burst_server_us, result_us_p50, result_us_p99, last_us_p50, last_us_p99
        ],
        Series
    ),
    Faults = [map_get(faults, One) || One <- Series],
    maps:merge(maps:with([followers, offline, cache, acks], Setup), Spreads#{
        peer => list_to_binary(bench_stand:name(Stand)),
        kind => bench_stand:kind(Stand),
        posts => map_get(posts, Known),
        burst_posts => map_get(burst_posts, hd(Series)),
        repeats => length(Series),
        series => Series,
        setup_ms => map_get(setup_ms, Known),
        memory_empty => map_get(memory_empty, Known),
        memory_connected => map_get(memory_connected, Known),
        memory_after => bench_usage:memory(bench_stand:server(Stand)),
        faults => maps:map(
            fun(Fault, _) -> lists:sum([map_get(Fault, One) || One <- Faults]) end, hd(Faults)
        )
    }).

%% @doc How many deliveries were missing, superfluous or out of order.
-spec faults(result()) -> non_neg_integer().
faults(#{faults := Faults}) ->
    lists:sum(maps:values(Faults));
faults(#{}) ->
    0.
