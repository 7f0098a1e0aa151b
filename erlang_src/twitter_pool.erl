%%% @doc Pools of workers of a vhost. All work for one author goes to the same worker of a pool.
-module(twitter_pool).

-export([child_specs/2, worker/3, workers/2]).

%% Writers mostly wait for storage; fan-out workers compute.
pool_size(twitter_writer) -> 16;
pool_size(twitter_fanout) -> erlang:system_info(schedulers).

%% @doc How a supervisor runs the pool of `Module', which exports `start_link(Name, ServerHost)'.
-spec child_specs(module(), ServerHost :: binary()) -> [supervisor:child_spec()].
child_specs(Module, ServerHost) ->
    [#{id => {Module, N}, start => {Module, start_link, [name(Module, ServerHost, N), ServerHost]}}
     || N <- lists:seq(1, pool_size(Module))].

name(Module, ServerHost, N) ->
    %% Few names, made from the configuration, never from what users send.
    gen_mod:get_module_proc(ServerHost, list_to_atom(lists:concat([Module, "_", N]))).

%% @doc The worker for an author.
-spec worker(module(), twitter_service:served(), Author :: twitter_nif:jid()) -> atom().
worker(Module, #{server_host := ServerHost}, Author) ->
    name(Module, ServerHost, erlang:phash2(Author, pool_size(Module)) + 1).

%% @doc All workers of a pool.
-spec workers(module(), ServerHost :: binary()) -> [atom()].
workers(Module, ServerHost) ->
    [name(Module, ServerHost, N) || N <- lists:seq(1, pool_size(Module))].
