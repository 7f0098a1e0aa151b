%%% One peer on a server of its own, with a load client of its own.
-module(bench_stand).

-export([all/3, server/1, load/1, kind/1, name/1, os_pid/1, cpu_us/1, idle/2]).
-export_type([stand/0]).

-type stand() :: #{
    peer := bench_peers:peer(), server := twitter_server:server(), load := bench_load:load()
}.

%% @doc Starts a stand for each peer, has `Use' work with them, and stops them, whatever happens. A
%% variant whose options this plugin does not know is left out.
-spec all([bench_peers:peer()], Common :: map(), fun(([stand()]) -> Result)) -> Result.
all(Peers, Common, Use) ->
    all(Peers, Common, Use, []).

all([], _Common, Use, Stands) ->
    Use(lists:reverse(Stands));
all([#{name := Name} = Peer | Peers], Common, Use, Stands) ->
    %% A name of its own: servers whose names differ keep their files apart.
    Folder = lists:flatten(io_lib:format("~ts-~b", [Name, erlang:unique_integer([positive])])),
    case twitter_server:start(bench_peers:server_options(Peer, Common#{name => Folder})) of
        {ok, Server} ->
            Load = bench_load:start(),
            try
                ok = bench_inside:load(Server),
                all(Peers, Common, Use, [#{peer => Peer, server => Server, load => Load} | Stands])
            after
                try bench_load:stop(Load) catch _:_ -> ok end,
                %% Nothing of it is wanted any more.
                ok = twitter_server:kill9(Server),
                ok = gen_server:stop(Server)
            end;
        {error, {not_started, _}} when map_get(options, Peer) =/= #{} ->
            io:format("~ts: this plugin does not know ~p, left out~n", [Name, map_get(options, Peer)]),
            all(Peers, Common, Use, Stands);
        {error, {not_started, Log}} ->
            error({not_started, Name, Log})
    end.

-spec server(stand()) -> twitter_server:server().
server(#{server := Server}) -> Server.

-spec load(stand()) -> bench_load:load().
load(#{load := Load}) -> Load.

-spec kind(stand()) -> bench_peers:kind().
kind(#{peer := #{kind := Kind}}) -> Kind.

-spec name(stand()) -> string().
name(#{peer := #{name := Name}}) -> Name.

-spec os_pid(stand()) -> string().
os_pid(#{server := Server} = Stand) ->
    case twitter_server:os_pid(Server) of
        undefined -> error({server_died, name(Stand)});
        OsPid -> OsPid
    end.

%% @doc CPU time that the server has used so far.
-spec cpu_us(stand()) -> non_neg_integer().
cpu_us(Stand) ->
    bench_usage:cpu_us(os_pid(Stand)).

%% @doc What the servers use when nobody does anything: microseconds a second, in the order of the
%% stands.
-spec idle([stand()], Milliseconds :: pos_integer()) -> [float()].
idle(Stands, Milliseconds) ->
    Before = lists:map(fun cpu_us/1, Stands),
    ok = timer:sleep(Milliseconds),
    After = lists:map(fun cpu_us/1, Stands),
    [(A - B) * 1000 / Milliseconds || {A, B} <- lists:zip(After, Before)].
