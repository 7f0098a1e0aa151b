%%% @doc Pools of workers of a vhost. All work for one author goes to the same worker of a pool.
-module(twitter_pool).
-behaviour(supervisor).

-export([child_spec/2, workers_of/1, worker/3, workers/2]).
-export([start_link/2, init/1]).

%% A worker that is killed costs nothing but the work that has to be done again, so more is borne here than of
%% the processes of which there is one.
-define(INTENSITY, 100).
-define(PERIOD_S, 10).

%% @doc Writers mostly wait for storage; fan-out workers compute.
-spec workers_of(module()) -> pos_integer().
workers_of(twitter_writer) -> 16;
workers_of(twitter_fanout) -> erlang:system_info(schedulers).

%% @doc How a supervisor runs the pool of `Module', which exports
%% `start_link(Name, ServerHost, Number)'.
-spec child_spec(module(), ServerHost :: binary()) -> supervisor:child_spec().
child_spec(Module, ServerHost) ->
    #{id => {?MODULE, Module}, start => {?MODULE, start_link, [Module, ServerHost]},
      type => supervisor, shutdown => infinity, modules => [Module]}.

%% @private
-spec start_link(module(), ServerHost :: binary()) -> supervisor:startlink_ret().
start_link(Module, ServerHost) ->
    supervisor:start_link(?MODULE, {Module, ServerHost}).

%% @private
-spec init({module(), ServerHost :: binary()}) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init({Module, ServerHost}) ->
    ok = twitter_sup:await_ends(workers(Module, ServerHost)),
    {ok, {#{strategy => one_for_one, intensity => ?INTENSITY, period => ?PERIOD_S},
          [#{id => {Module, N},
             start => {Module, start_link, [name(Module, ServerHost, N), ServerHost, N]}}
           || N <- lists:seq(1, workers_of(Module))]}}.

name(Module, ServerHost, N) ->
    %% Few names, made from the configuration, never from what users send.
    gen_mod:get_module_proc(ServerHost, list_to_atom(lists:concat([Module, "_", N]))).

%% @doc The worker for an author: its number in the pool, and its name.
-spec worker(module(), ServerHost :: binary(), Author :: twitter_nif:jid()) -> {pos_integer(), atom()}.
worker(Module, ServerHost, Author) ->
    Number = erlang:phash2(Author, workers_of(Module)) + 1,
    {Number, name(Module, ServerHost, Number)}.

%% @doc All workers of a pool.
-spec workers(module(), ServerHost :: binary()) -> [atom()].
workers(Module, ServerHost) ->
    [name(Module, ServerHost, N) || N <- lists:seq(1, workers_of(Module))].
