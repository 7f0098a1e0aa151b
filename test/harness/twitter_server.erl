%%% A private ejabberd for a suite: an unmodified server in a node of its own.
%%%
%%% The node is an OTP peer on standard input and output. It needs neither Erlang
%%% distribution nor epmd, listens on loopback only, keeps everything in the folder
%%% it is given, and ends with the suite's own node, however that ends.
-module(twitter_server).
-behaviour(gen_server).

-export([start/1, stop/1, halt/1, kill9/1, restart/1, restart/2, reload/2, free_port/0]).
-export([call/4, call/5, settle/2, await_service/2]).
-export([storage/1, port/1, hosts/1, dir/1, os_pid/1, is_running/1, log/1, log_path/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-export_type([server/0, options/0]).

-type server() :: pid().
-type options() :: #{
    %% Config, spool and logs go to DIR/NAME.
    dir := file:filename_all(),
    name => string(),
    %% Virtual hosts, default [<<"localhost">>].
    hosts => [binary()],
    %% Whether the plugin's ebin is on the code path, default true.
    plugin => boolean(),
    %% Options of mod_pubsub, over `plugins: [flat, pep]` and, with the plugin,
    %% `nodetree: twitter`.
    pubsub => #{atom() => twitter_yaml:value()},
    %% Options of mod_twitter; default #{} with the plugin, absent without.
    twitter => #{atom() => twitter_yaml:value()} | absent,
    %% More modules, other options for those of twitter_config, or `absent`.
    modules => #{atom() => #{atom() => twitter_yaml:value()} | absent},
    %% More options of the listener for clients.
    listener => #{atom() => twitter_yaml:value()},
    %% Ports for components.
    components => [inet:port_number()],
    %% The root of another Debian, whose ejabberd it is then, without the plugin. Only root may use that.
    root => file:filename_all(),
    %% Ports for other servers.
    s2s => [inet:port_number()],
    %% What it stores in, default that of the run; the ejabberd of another root has Mnesia.
    storage => twitter_database:storage(),
    %% Made by init/1.
    database => twitter_database:database(),
    %% More options of the top level.
    options => #{atom() => twitter_yaml:value()},
    %% The server whose database it is to use: it does so until that one is stopped.
    shares => pid(),
    %% The name of its node and its cookie, for a cluster: see twitter_clustered.
    distribution => {node(), Cookie :: atom()},
    %% Environment variables of the node, as for open_port/2.
    env => [{string(), string() | false}]
}.

-record(state, {
    options :: options(),
    port :: inet:port_number(),
    peer = undefined :: pid() | undefined,
    monitor = undefined :: reference() | undefined,
    os_pid = undefined :: string() | undefined
}).

-define(BOOT_TIMEOUT, 60_000).
-define(STOP_TIMEOUT, 30_000).

%%% Life and death

%% @doc Starts a server and returns when it accepts clients. When ejabberd refuses
%% its configuration, the error carries what it logged.
-spec start(options()) -> {ok, server()} | {error, {not_started, Log :: binary()}}.
start(Options) ->
    {ok, Server} = gen_server:start(?MODULE, Options, []),
    case gen_server:call(Server, boot, infinity) of
        ok ->
            {ok, Server};
        {error, _} = Error ->
            ok = gen_server:stop(Server),
            Error
    end.

%% @doc Stops ejabberd in good order, and returns when its process is gone.
-spec stop(server()) -> ok.
stop(Server) ->
    Stopped = gen_server:call(Server, halt, infinity),
    ok = gen_server:stop(Server),
    ok = Stopped.

%% @doc Stops ejabberd in good order; {@link restart/1} brings it back.
-spec halt(server()) -> ok.
halt(Server) ->
    ok = gen_server:call(Server, halt, infinity).

%% @doc Ends the node's process with SIGKILL, as a power failure would.
-spec kill9(server()) -> ok.
kill9(Server) ->
    gen_server:call(Server, kill9, infinity).

-spec restart(server()) -> ok | {error, {not_started, Log :: binary()}}.
restart(Server) ->
    restart(Server, #{}).

%% @doc Stops the server if it still runs and starts it again: same port, same data,
%% options merged over the old ones.
-spec restart(server(), map()) -> ok | {error, {not_started, Log :: binary()}}.
restart(Server, Changes) ->
    ok = gen_server:call(Server, halt, infinity),
    ok = gen_server:call(Server, {change, Changes}),
    gen_server:call(Server, boot, infinity).

%% @doc Writes a changed configuration and lets the running server reload it.
-spec reload(server(), map()) -> ok | {error, term()}.
reload(Server, Changes) ->
    ok = gen_server:call(Server, {change, Changes}),
    call(Server, ejabberd_config, reload, []).

%%% Questions

-spec call(server(), module(), atom(), [term()]) -> term().
call(Server, Module, Function, Args) ->
    call(Server, Module, Function, Args, 30_000).

%% @doc Calls a function in the server's node; exceptions there are raised here.
-spec call(server(), module(), atom(), [term()], timeout()) -> term().
call(Server, Module, Function, Args, Timeout) ->
    case gen_server:call(Server, peer) of
        undefined -> error({server_not_running, Server});
        Peer -> peer:call(Peer, Module, Function, Args, Timeout)
    end.

%% @doc Returns when everything that has been published so far is on its way to
%% those who are entitled to it.
-spec settle(server(), PubsubHost :: binary()) -> ok.
settle(Server, PubsubHost) ->
    ok = call(Server, twitter_fanout, sync, [PubsubHost]).

%% @doc Returns when the microblogs of a vhost are served again after mod_pubsub has started: it
%% has told the service, and when this one answers, it has acted.
-spec await_service(server(), Host :: binary()) -> ok.
await_service(Server, Host) ->
    Service = call(Server, gen_mod, get_module_proc, [Host, twitter_service]),
    _ = call(Server, sys, get_state, [Service]),
    ok.

%% @doc What it stores in.
-spec storage(server()) -> twitter_database:storage().
storage(Server) ->
    #state{options = #{database := Database}} = state(Server),
    twitter_database:kind(Database).

%% @doc The port for clients, on 127.0.0.1.
-spec port(server()) -> inet:port_number().
port(Server) ->
    (state(Server))#state.port.

-spec hosts(server()) -> [binary()].
hosts(Server) ->
    maps:get(hosts, (state(Server))#state.options).

-spec dir(server()) -> file:filename_all().
dir(Server) ->
    twitter_node:folder((state(Server))#state.options).

-spec os_pid(server()) -> string() | undefined.
os_pid(Server) ->
    (state(Server))#state.os_pid.

-spec is_running(server()) -> boolean().
is_running(Server) ->
    (state(Server))#state.peer =/= undefined.

-spec log_path(server()) -> file:filename_all().
log_path(Server) ->
    twitter_node:log_file((state(Server))#state.options).

%% @doc All that ejabberd has logged so far, earlier starts included.
-spec log(server()) -> binary().
log(Server) ->
    case is_running(Server) of
        true -> flush_log(Server);
        false -> ok
    end,
    {ok, Log} = file:read_file(log_path(Server)),
    %% Newer ones colour it.
    re:replace(Log, "\e\\[[0-9;]*m", "", [global, {return, binary}]).

%% ejabberd logs through lager where Debian 12 builds it, else through logger.
flush_log(Server) ->
    case call(Server, erlang, whereis, [lager_event]) of
        undefined -> call(Server, logger_std_h, filesync, [default]);
        Lager -> call(Server, gen_event, which_handlers, [Lager])
    end,
    ok.

-spec state(server()) -> #state{}.
state(Server) ->
    gen_server:call(Server, state).

%%% The process that owns the peer

-spec init(options()) -> {ok, #state{}}.
init(Options0) ->
    Options1 = maps:merge(default_storage(Options0), Options0),
    Options = maps:merge(#{name => "ejabberd", hosts => [<<"localhost">>]}, Options1),
    ok = filelib:ensure_dir(filename:join([twitter_node:folder(Options), "spool", "x"])),
    ok = filelib:ensure_dir(filename:join([twitter_node:folder(Options), "log", "x"])),
    %% What the node prints goes to a file of ours: the group leader of a test case
    %% is gone when the case is.
    {ok, Console} = file:open(twitter_node:log_file(Options), [append]),
    true = group_leader(Console, self()),
    Database = case Options of
        #{shares := Other} -> database(Other);
        #{} -> twitter_database:new(Options)
    end,
    {ok, #state{options = Options#{database => Database}, port = free_port()}}.

database(Server) ->
    maps:get(database, (state(Server))#state.options).

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, term(), #state{}}.
handle_call(state, _From, State) ->
    {reply, State, State};
handle_call(peer, _From, State) ->
    {reply, State#state.peer, State};
handle_call({change, Changes}, _From, #state{options = Options} = State) ->
    NewState = State#state{options = maps:merge(Options, Changes)},
    ok = write_config(NewState),
    {reply, ok, NewState};
handle_call(boot, _From, #state{peer = undefined} = State) ->
    case boot(State) of
        {ok, Running} -> {reply, ok, Running};
        error -> {reply, {error, {not_started, last_log(State)}}, State}
    end;
handle_call(halt, _From, State) ->
    {Reply, NewState} = halt_peer(State),
    {reply, Reply, NewState};
handle_call(kill9, _From, State) ->
    {reply, ok, kill_peer(State)}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Message, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info({'DOWN', Monitor, process, _, _}, #state{monitor = Monitor} = State) ->
    {noreply, forget_peer(State)};
handle_info(_Message, State) ->
    {noreply, State}.

-spec terminate(term(), #state{}) -> ok.
terminate(_Reason, #state{options = #{shares := _}} = State) ->
    _ = kill_peer(State),
    ok;
terminate(_Reason, #state{options = #{database := Database}} = State) ->
    _ = kill_peer(State),
    twitter_database:drop(Database).

default_storage(#{root := _}) -> #{storage => mnesia};
default_storage(_Options) -> #{}.

boot(#state{options = Options} = State) ->
    ok = write_config(State),
    {ok, Peer, _Node} = peer:start(#{
        connection => standard_io,
        wait_boot => ?BOOT_TIMEOUT,
        exec => twitter_node:command(Options),
        args => twitter_node:arguments(Options),
        env => twitter_node:environment(Options)
    }),
    Monitor = monitor(process, Peer),
    OsPid = peer:call(Peer, os, getpid, []),
    Running = State#state{peer = Peer, monitor = Monitor, os_pid = OsPid},
    try peer:call(Peer, ejabberd, start, [], ?BOOT_TIMEOUT) of
        {error, _} ->
            _ = kill_peer(Running),
            error;
        _Started ->
            {ok, Running}
    catch
        %% ejabberd halts its node when it does not like its configuration.
        exit:_ ->
            _ = kill_peer(Running),
            error
    end.

halt_peer(#state{peer = undefined} = State) ->
    {ok, State};
halt_peer(#state{peer = Peer, monitor = Monitor} = State) ->
    ok = peer:cast(Peer, init, stop, []),
    receive
        {'DOWN', Monitor, process, Peer, _} -> {ok, forget_peer(State)}
    after ?STOP_TIMEOUT -> {{error, does_not_stop}, kill_peer(State)}
    end.

kill_peer(#state{peer = undefined} = State) ->
    State;
kill_peer(#state{peer = Peer, monitor = Monitor, os_pid = OsPid} = State) ->
    _ = os:cmd("kill -9 " ++ OsPid),
    receive
        {'DOWN', Monitor, process, Peer, _} -> forget_peer(State)
    end.

forget_peer(State) ->
    State#state{peer = undefined, monitor = undefined, os_pid = undefined}.

%%% Files

write_config(#state{options = #{database := Database, hosts := Hosts} = Options, port = Port}) ->
    ok = twitter_database:add_hosts(Database, Hosts),
    file:write_file(twitter_node:config_file(Options), twitter_config:text(Options, Port)).

last_log(#state{options = Options}) ->
    {ok, Log} = file:read_file(twitter_node:log_file(Options)),
    Log.

%% @doc A port of the loopback interface on which nobody listens.
-spec free_port() -> inet:port_number().
free_port() ->
    {ok, Socket} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
    {ok, Port} = inet:port(Socket),
    ok = gen_tcp:close(Socket),
    Port.
