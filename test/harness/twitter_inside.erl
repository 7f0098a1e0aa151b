%%% Processes of the server under test.
-module(twitter_inside).

-export([session/2, await_end/2, kill/2, await_other/3]).
-export([workers/2, worker/3, suspend/2, resume/2, try_again/2]).

%% @doc The process of a client's session, or of that with a full JID.
-spec session(twitter_server:server(), twitter_client:client() | binary()) -> pid().
session(Server, Client) when is_pid(Client) ->
    session(Server, twitter_client:jid(Client));
session(Server, Jid) ->
    [Name, Host, Resource] = re:split(Jid, "[@/]", [{parts, 3}]),
    twitter_server:call(Server, ejabberd_sm, get_session_pid, [Name, Host, Resource]).

%% @doc Returns when the process has ended.
-spec await_end(twitter_server:server(), pid()) -> ok.
await_end(Server, Process) ->
    case twitter_server:call(Server, erlang, is_process_alive, [Process]) of
        true -> await_end(Server, Process);
        false -> ok
    end.

%% @doc Kills the process with that name, and returns when it has ended.
-spec kill(twitter_server:server(), atom()) -> pid().
kill(Server, Name) ->
    Process = twitter_server:call(Server, erlang, whereis, [Name]),
    true = twitter_server:call(Server, erlang, exit, [Process, kill]),
    ok = await_end(Server, Process),
    Process.

%% @doc Returns when another process has that name and answers.
-spec await_other(twitter_server:server(), atom(), pid()) -> ok.
await_other(Server, Name, Former) ->
    case twitter_server:call(Server, erlang, whereis, [Name]) of
        Other when is_pid(Other), Other =/= Former ->
            _ = twitter_server:call(Server, sys, get_state, [Other]),
            ok;
        _ ->
            await_other(Server, Name, Former)
    end.

%% @doc The workers of a pool of the first vhost.
-spec workers(twitter_server:server(), Pool :: module()) -> [Name :: atom(), ...].
workers(Server, Pool) ->
    [_ | _] = twitter_server:call(Server, twitter_pool, workers, [Pool, hd(twitter_server:hosts(Server))]).

%% @doc The one that serves this author.
-spec worker(twitter_server:server(), Pool :: module(), twitter_client:client()) -> Name :: atom().
worker(Server, Pool, Author) ->
    Jid = twitter_client:bare(Author),
    [_, Host] = binary:split(Jid, <<"@">>),
    {_, Name} = twitter_server:call(Server, twitter_pool, worker, [Pool, Host, Jid]),
    Name.

-spec suspend(twitter_server:server(), [pid() | atom()]) -> ok.
suspend(Server, Processes) ->
    lists:foreach(fun(Process) -> ok = twitter_server:call(Server, sys, suspend, [Process]) end, Processes).

-spec resume(twitter_server:server(), [pid() | atom()]) -> ok.
resume(Server, Processes) ->
    lists:foreach(fun(Process) -> ok = twitter_server:call(Server, sys, resume, [Process]) end, Processes).

%% @doc If that {@link twitter_link} waits until it tries again, it does so now. Returns how often in a row it had no answer.
-spec try_again(twitter_server:server(), pid()) -> non_neg_integer().
try_again(Server, Link) ->
    State = twitter_server:call(Server, sys, get_state, [Link]),
    %% As in its record.
    {Failures, Timer} = {element(9, State), element(10, State)},
    _ = [twitter_server:call(Server, erlang, send, [Link, {timeout, Timer, try_again}]) || is_reference(Timer)],
    Failures.
