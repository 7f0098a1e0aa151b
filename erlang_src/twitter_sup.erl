%%% @doc The processes of one vhost: who is online, what changes in rights, fan-out workers, writers, and the
%%% owner of the service.
-module(twitter_sup).
-behaviour(supervisor).

-export([start_link/1, child_spec/1, name/1]).
-export([init/1]).

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

%% @private
-spec init(ServerHost :: binary()) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init(ServerHost) ->
    ok = twitter_flow:new(ServerHost, twitter_pool:workers_of(twitter_fanout)),
    %% The service comes last: nobody can write before there is somebody to hand the post to, who
    %% knows to whom it goes. Without the native library it is alone, and says so.
    Workers = case code:ensure_loaded(twitter_nif) of
                  {module, twitter_nif} ->
                      [worker(twitter_sessions, ServerHost), worker(twitter_watch, ServerHost)]
                          ++ twitter_pool:child_specs(twitter_fanout, ServerHost)
                          ++ twitter_pool:child_specs(twitter_writer, ServerHost);
                  {error, _} ->
                      []
              end,
    {ok, {#{strategy => one_for_one, intensity => 10, period => 10},
          Workers ++ [worker(twitter_service, ServerHost)]}}.

worker(Module, ServerHost) ->
    #{id => Module, start => {Module, start_link, [ServerHost]}}.
