%%% Processes of the server under test.
-module(twitter_inside).

-export([session/2, await_end/2, kill/2, await_other/3, suspend_workers/1, resume_workers/2]).

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

%% @doc Makes the workers of the first vhost wait: posts stay with them.
-spec suspend_workers(twitter_server:server()) -> [pid()].
suspend_workers(Server) ->
    Children = twitter_server:call(Server, supervisor, which_children, [twitter_sup_localhost]),
    [_ | _] = Workers = [Pid || {{twitter_fanout, _}, Pid, _, _} <- Children],
    [ok = twitter_server:call(Server, sys, suspend, [Pid]) || Pid <- Workers],
    Workers.

-spec resume_workers(twitter_server:server(), [pid()]) -> ok.
resume_workers(Server, Workers) ->
    lists:foreach(fun(Pid) -> ok = twitter_server:call(Server, sys, resume, [Pid]) end, Workers).
