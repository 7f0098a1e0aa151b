%%% @doc The processes of one vhost: who is online, what changes in rights, fan-out workers, writers, what other nodes
%%% tell, and the owner of the service.
-module(twitter_sup).
-behaviour(supervisor).

-export([start_link/1, child_spec/1, name/1, await_ends/1]).
-export([init/1]).

%% Of each there is one process.
-define(ONES, [twitter_sessions, twitter_watch, twitter_cluster, twitter_peer, twitter_links, twitter_inbox,
               twitter_warm_up, twitter_service]).

%% @doc How ejabberd's supervisor of modules runs it.
-spec child_spec(ServerHost :: binary()) -> supervisor:child_spec().
child_spec(ServerHost) ->
    #{id => name(ServerHost), start => {?MODULE, start_link, [ServerHost]},
      type => supervisor, shutdown => infinity}.

-spec start_link(ServerHost :: binary()) -> supervisor:startlink_ret().
start_link(ServerHost) ->
    supervisor:start_link({local, name(ServerHost)}, ?MODULE, ServerHost).

-spec name(ServerHost :: binary()) -> atom().
name(ServerHost) ->
    gen_mod:get_module_proc(ServerHost, ?MODULE).

%% @doc Returns when no process has one of these names. Those of a supervisor that was killed end soon after
%% it, and until then others cannot be started.
-spec await_ends([Name :: atom()]) -> ok.
await_ends(Names) ->
    Monitors = [monitor(process, Name) || Name <- Names],
    lists:foreach(fun(Monitor) -> receive {'DOWN', Monitor, process, _, _} -> ok end end, Monitors).

%% @private
-spec init(ServerHost :: binary()) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init(ServerHost) ->
    ok = await_ends([gen_mod:get_module_proc(ServerHost, Module) || Module <- ?ONES]),
    ok = twitter_flow:new(ServerHost, twitter_pool:workers_of(twitter_fanout)),
    %% The service comes last: nobody can write before there is somebody to hand the post to, who
    %% knows to whom it goes. Without the native library it is alone, and says so.
    Workers = case code:ensure_loaded(twitter_nif) of
                  {module, twitter_nif} ->
                      ok = twitter_stats:new(ServerHost),
                      %% It outlives the workers that send what is in it.
                      ok = twitter_backlog:new(ServerHost),
                      ok = twitter_outbox:new(ServerHost),
                      ok = twitter_writer:new(ServerHost),
                      ok = twitter_inbox:new(ServerHost),
                      ok = twitter_unread:begin_run(ServerHost),
                      [worker(twitter_sessions, ServerHost), worker(twitter_watch, ServerHost),
                       worker(twitter_peer, ServerHost),
                       worker(twitter_links, ServerHost), worker(twitter_inbox, ServerHost)]
                          ++ [twitter_pool:child_spec(Pool, ServerHost) || Pool <- [twitter_fanout, twitter_writer]]
                          %% Other nodes are told of it when it can do what they ask for.
                          ++ [worker(twitter_cluster, ServerHost), worker(twitter_warm_up, ServerHost)];
                  {error, _} ->
                      []
              end,
    {ok, {#{strategy => one_for_one, intensity => 10, period => 10},
          Workers ++ [worker(twitter_service, ServerHost)]}}.

worker(Module, ServerHost) ->
    #{id => Module, start => {Module, start_link, [ServerHost]}}.
