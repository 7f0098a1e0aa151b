%%% @doc Numbers about a vhost: what was done, what waits, how much memory it takes, how long it took.
-module(twitter_stats).

-export([new/1, delete/1, clock/0, took/3, all/1, prometheus/0]).
-export_type([work/0]).

-type work() :: push | read.
%% From the storage of a post to the last of its recipients; a request that reads the tree or posts.

%% @doc Nothing has been measured yet.
-spec new(ServerHost :: binary()) -> ok.
new(ServerHost) ->
    persistent_term:put({?MODULE, ServerHost},
                        #{push => twitter_nif:meter_new(), read => twitter_nif:meter_new()}).

-spec delete(ServerHost :: binary()) -> ok.
delete(ServerHost) ->
    _ = persistent_term:erase({?MODULE, ServerHost}),
    ok.

%% @doc The present moment, for {@link took/3}: microseconds since the virtual machine started.
-spec clock() -> non_neg_integer().
clock() ->
    Native = erlang:monotonic_time() - erlang:system_info(start_time),
    erlang:convert_time_unit(Native, native, microsecond).

%% @doc Some work that began at that moment has ended.
-spec took(ServerHost :: binary(), work(), Began :: non_neg_integer()) -> ok.
took(ServerHost, Work, Began) ->
    case persistent_term:get({?MODULE, ServerHost}, #{}) of
        #{Work := Meter} ->
            Now = clock(),
            twitter_nif:record(Meter, max(0, Now - Began), Now);
        #{} ->
            ok
    end.

%% @doc All numbers of a vhost: times in microseconds, `_count' since the beginning, the others of the
%% last five to ten minutes.
-spec all(ServerHost :: binary()) -> [{Name :: binary(), non_neg_integer()}].
all(ServerHost) ->
    values(ServerHost)
        ++ [{<<Of/binary, "_", Name/binary>>, Value}
            || {Of, {Count, _Sum, {P50, P90, P99, Max}}} <- times(ServerHost),
               {Name, Value} <- [{<<"count">>, Count}, {<<"p50_us">>, P50}, {<<"p90_us">>, P90},
                                 {<<"p99_us">>, P99}, {<<"max_us">>, Max}]].

%% @doc The numbers of all vhosts, in the text format of Prometheus.
-spec prometheus() -> binary().
prometheus() ->
    twitter_nif:prometheus([{Host, values(Host), times(Host)}
                            || Host <- ejabberd_option:hosts(), gen_mod:is_loaded(Host, mod_twitter)]).

times(ServerHost) ->
    [{atom_to_binary(Work), twitter_nif:summary(Meter, clock())}
     || {Work, Meter} <- lists:sort(maps:to_list(persistent_term:get({?MODULE, ServerHost}, #{})))].

values(ServerHost) ->
    flow(ServerHost) ++ memory(ServerHost) ++ [{<<"online_users">>, twitter_sessions:count(ServerHost)},
                                               {<<"rights_bytes">>, twitter_rights:bytes(ServerHost)}].

flow(ServerHost) ->
    #{pushed := Pushed, routed := Routed, relayed := Relayed, withheld := Withheld, not_pushed := NotPushed,
      dropped := Dropped, heard := Heard, refused := Refused, waiting := Waiting,
      under_way := UnderWay} = twitter_flow:counters(ServerHost),
    [{<<"pushed_total">>, Pushed}, {<<"routed_total">>, Routed}, {<<"relayed_total">>, Relayed},
     {<<"withheld_total">>, Withheld}, {<<"not_pushed_total">>, NotPushed}, {<<"dropped_total">>, Dropped},
     {<<"heard_total">>, Heard}, {<<"refused_total">>, Refused},
     {<<"waiting_bytes">>, max(0, Waiting)},
     {<<"under_way_bytes">>, max(0, UnderWay)}].

%% Of all its pubsub hosts.
memory(ServerHost) ->
    Names = [<<"index_bytes">>, <<"cache_bytes">>, <<"authors">>, <<"posts">>, <<"payloads">>],
    Each = [tuple_to_list(twitter_index:memory(Host)) || #{host := Host} <- twitter_service:all(ServerHost)],
    Sums = lists:foldl(fun(Numbers, Sum) -> lists:zipwith(fun erlang:'+'/2, Numbers, Sum) end,
                       [0 || _ <- Names], Each),
    lists:zip(Names, Sums).
