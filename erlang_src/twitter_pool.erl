%%% @doc Pools of workers of a vhost. All work for one author goes to the same worker of a pool.
-module(twitter_pool).

-export([child_specs/2, workers_of/1, worker/3, workers/2]).

%% @doc Writers mostly wait for storage; fan-out workers compute.
-spec workers_of(module()) -> pos_integer().
workers_of(twitter_writer) -> 16;
workers_of(twitter_fanout) -> erlang:system_info(schedulers).

%% @doc How a supervisor runs the pool of `Module', which exports
%% `start_link(Name, ServerHost, Number)'.
-spec child_specs(module(), ServerHost :: binary()) -> [supervisor:child_spec()].
child_specs(Module, ServerHost) ->
    [#{id => {Module, N},
       start => {Module, start_link, [name(Module, ServerHost, N), ServerHost, N]}}
     || N <- lists:seq(1, workers_of(Module))].

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
