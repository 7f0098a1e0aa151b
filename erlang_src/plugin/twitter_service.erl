%%% @doc The owner of a vhost's service: holds the indexes of its pubsub hosts and stands between
%%% their IQs and mod_pubsub.
%%%
%%% mod_pubsub installs its IQ handlers whenever it starts, and the last writer wins. So the service
%%% waits until mod_pubsub is up (the nodetree tells when it begins), puts {@link twitter_gateway}
%%% before it, and gives the handlers back when it stops itself.
-module(twitter_service).
-behaviour(gen_server).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([start_link/1, find/1, all/1, reload/1, pubsub_starts/1, pubsub_stops/1, options_changed/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
-export_type([served/0]).

-type served() :: #{host := binary(), server_host := binary(), index := twitter_nif:index(),
                    rates := twitter_nif:rates(), dialogs := twitter_nif:dialogs()}.
%% A pubsub host, its vhost, its index, how fast its authors post, and the commands that people are at.
-record(state, {server_host :: binary(), hosts = [] :: [binary()]}).

%% Those of mod_pubsub, in whose place ours are put.
-define(HANDLERS, [{?NS_DISCO_INFO, process_disco_info},
                   {?NS_DISCO_ITEMS, process_disco_items},
                   {?NS_PUBSUB, process_pubsub},
                   {?NS_PUBSUB_OWNER, process_pubsub_owner},
                   {?NS_COMMANDS, process_commands}]).

-spec start_link(ServerHost :: binary()) -> {ok, pid()} | {error, term()}.
start_link(ServerHost) ->
    gen_server:start_link({local, name(ServerHost)}, ?MODULE, ServerHost, []).

%% @doc The service of a pubsub host, if the plugin serves it.
-spec find(Host :: binary()) -> {ok, served()} | error.
find(Host) ->
    case persistent_term:get({?MODULE, Host}, undefined) of
        undefined -> error;
        Service -> {ok, Service}
    end.

%% @doc All that the plugin serves for a vhost.
-spec all(ServerHost :: binary()) -> [served()].
all(ServerHost) ->
    Hosts = case gen_mod:is_loaded(ServerHost, mod_pubsub) of
                true -> gen_mod:get_module_opt_hosts(ServerHost, mod_pubsub);
                false -> []
            end,
    [Service || Host <- Hosts, {ok, Service} <- [find(Host)]].

%% @doc Forgets what is in memory of a vhost, and takes over its pubsub hosts again; what is needed is read
%% anew from storage, rosters and sessions.
-spec reload(ServerHost :: binary()) -> ok.
reload(ServerHost) ->
    ok = gen_server:call(name(ServerHost), reload, infinity),
    ok = twitter_rights:forget(ServerHost),
    twitter_sessions:reconcile(ServerHost).

%% @doc mod_pubsub of the vhost begins to start one of its hosts, with our nodetree.
-spec pubsub_starts(ServerHost :: binary()) -> ok.
pubsub_starts(ServerHost) ->
    tell(ServerHost, pubsub_starts).

%% @doc mod_pubsub of the vhost stops one of its hosts.
-spec pubsub_stops(ServerHost :: binary()) -> ok.
pubsub_stops(ServerHost) ->
    tell(ServerHost, pubsub_stops).

%% @doc The options of mod_twitter of the vhost have changed.
-spec options_changed(ServerHost :: binary()) -> ok.
options_changed(ServerHost) ->
    tell(ServerHost, options_changed).

tell(ServerHost, Message) ->
    case whereis(name(ServerHost)) of
        undefined ->
            ok;
        Pid ->
            Pid ! Message,
            ok
    end.

%% @private
-spec init(ServerHost :: binary()) -> {ok, #state{}}.
init(ServerHost) ->
    process_flag(trap_exit, true),
    {ok, activate(#state{server_host = ServerHost})}.

%% @private
-spec handle_call(reload | term(), gen_server:from(), #state{}) ->
          {reply, ok | {error, unknown_request}, #state{}}.
handle_call(reload, _From, State) ->
    {reply, ok, activate(State)};
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

%% @private
-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Message, State) ->
    {noreply, State}.

%% @private
-spec handle_info(pubsub_starts | pubsub_stops | options_changed | term(), #state{}) ->
          {noreply, #state{}}.
handle_info(pubsub_starts, State) ->
    Active = activate(State),
    %% By now mod_pubsub has started all its hosts, and told of each.
    flush(pubsub_starts),
    {noreply, Active};
handle_info(pubsub_stops, #state{server_host = ServerHost, hosts = Hosts} = State) ->
    %% It comes back with the settings that are in force by now.
    case is_configured(ServerHost) orelse Hosts =:= [] of
        true -> ok;
        false -> complain(ServerHost, wrong_nodetree())
    end,
    {noreply, serve([], State)};
handle_info(options_changed, #state{hosts = Hosts} = State) ->
    lists:foreach(fun(Host) ->
                          {ok, Service} = find(Host),
                          ok = twitter_index:resize(Service)
                  end, Hosts),
    {noreply, State};
handle_info(_Message, State) ->
    {noreply, State}.

flush(Message) ->
    receive
        Message -> flush(Message)
    after 0 ->
        ok
    end.

%% @private
-spec terminate(term(), #state{}) -> term().
terminate(_Reason, #state{server_host = ServerHost, hosts = Hosts} = State) ->
    case is_pid(whereis(gen_mod:get_module_proc(ServerHost, mod_pubsub))) of
        true -> lists:foreach(fun(Host) -> route(Host, mod_pubsub) end, Hosts);
        false -> ok
    end,
    serve([], State).

%% Serves the pubsub hosts, or says in the log what is missing and leaves pubsub as it is.
activate(#state{server_host = ServerHost} = State) ->
    case obstacle(ServerHost) of
        none ->
            Hosts = gen_mod:get_module_opt_hosts(ServerHost, mod_pubsub),
            Serving = serve(Hosts, State),
            lists:foreach(fun(Host) ->
                                  route(Host, twitter_gateway),
                                  handle(Host, twitter_relay:ns(), twitter_inbox, process_relay)
                          end, Hosts),
            ok = twitter_sessions:served(ServerHost),
            ok = twitter_warm_up:served(ServerHost),
            ?INFO_MSG("Microblogs of ~ts are served at ~ts",
                      [ServerHost, lists:join(<<", ">>, Hosts)]),
            Serving;
        Obstacle ->
            complain(ServerHost, Obstacle),
            serve([], State)
    end.

complain(ServerHost, {Format, Args}) ->
    ?ERROR_MSG("There are no microblogs on ~ts: " ++ Format, [ServerHost | Args]).

is_configured(ServerHost) ->
    case lists:keyfind(mod_pubsub, 1, ejabberd_option:modules(ServerHost)) of
        {mod_pubsub, #{nodetree := <<"twitter">>}, _} -> true;
        _ -> false
    end.

%% Each host anew: what is in memory begins empty.
serve(Hosts, #state{server_host = ServerHost, hosts = Before} = State) ->
    lists:foreach(fun(Host) ->
                          gen_iq_handler:remove_iq_handler(ejabberd_local, Host, twitter_relay:ns()),
                          persistent_term:erase({?MODULE, Host})
                  end, Before -- Hosts),
    lists:foreach(
      fun(Host) ->
              Service = #{host => Host, server_host => ServerHost,
                          index => twitter_index:new(ServerHost),
                          rates => twitter_nif:rates_new(),
                          dialogs => twitter_nif:dialogs_new()},
              persistent_term:put({?MODULE, Host}, Service)
      end, Hosts),
    State#state{hosts = Hosts}.

route(Host, Module) ->
    lists:foreach(fun({Namespace, Function}) -> handle(Host, Namespace, Module, Function) end, ?HANDLERS).

handle(Host, Namespace, Module, Function) ->
    %% ejabberd asks function_exported for decode_iq_subel/1, which a module not yet loaded denies.
    {module, Module} = code:ensure_loaded(Module),
    gen_iq_handler:add_iq_handler(ejabberd_local, Host, Namespace, Module, Function).

-spec obstacle(binary()) -> none | {string(), list()}.
obstacle(ServerHost) ->
    case code:ensure_loaded(twitter_nif) of
        {module, twitter_nif} ->
            pubsub_obstacle(ServerHost);
        {error, Reason} ->
            {"the native library cannot be loaded (~tp). Put twitter_nif.so, built for this system, "
             "into ~ts, then restart ejabberd",
             [Reason, filename:join(filename:dirname(filename:dirname(code:which(?MODULE))), "priv")]}
    end.

pubsub_obstacle(ServerHost) ->
    case gen_mod:is_loaded(ServerHost, mod_pubsub) andalso nodetree(ServerHost) of
        timeout ->
            {"mod_pubsub has not started within a minute. Restart it, or ejabberd", []};
        false ->
            {"mod_twitter needs mod_pubsub. Add to `modules': mod_pubsub: {nodetree: twitter}", []};
        nodetree_twitter ->
            none;
        nodetree_twitter_sql ->
            none;
        _ ->
            wrong_nodetree()
    end.

wrong_nodetree() ->
    {"mod_twitter needs another nodetree. Set in mod_pubsub: nodetree: twitter", []}.

%% A process that is still starting answers when it has started, so this waits until mod_pubsub has
%% installed its handlers.
nodetree(ServerHost) ->
    try
        gen_server:call(gen_mod:get_module_proc(ServerHost, mod_pubsub), nodetree, 60_000)
    catch
        exit:{timeout, _} -> timeout;
        exit:_ -> false
    end.

name(ServerHost) ->
    gen_mod:get_module_proc(ServerHost, ?MODULE).
