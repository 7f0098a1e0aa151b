%%% Counts what a server under test asks its database, at the door: each statement that ejabberd hands to the
%%% driver of SQLite, PostgreSQL or MariaDB, in and out of transactions and with those that begin and end them.
%%% That a connection of PostgreSQL prepares a statement, at its first use there, does not count.
-module(twitter_queries).

-export([during/2]).
%% In the server.
-export([start/0, stop/1, collect/1]).

%% @doc The statements, while `Fun' runs and all that has been published by then is on its way.
-spec during(twitter_server:server(), fun(() -> term())) -> [Statement :: term()].
during(Server, Fun) ->
    %% Where this module is is not on the server's path, nor is what it does when it is gone from there.
    {?MODULE, Code, File} = code:get_object_code(?MODULE),
    {module, ?MODULE} = twitter_server:call(Server, code, load_binary, [?MODULE, File, Code]),
    Tracer = twitter_server:call(Server, ?MODULE, start, []),
    try
        _ = Fun(),
        ok = twitter_server:settle(Server, <<"pubsub.localhost">>)
    after
        %% Even if it fails.
        self() ! {Tracer, twitter_server:call(Server, ?MODULE, stop, [Tracer])}
    end,
    receive
        {Tracer, Statements} -> Statements
    end.

doors() ->
    [
        {sqlite3, sql_exec, 2}, {sqlite3, sql_exec, 3}, {pgsql, squery, 3}, {pgsql, execute, 3}, {p1_mysql_conn, fetch, 3},
        {p1_mysql_conn, fetch, 4}, {p1_mysql_conn, squery, 4}
    ].

-spec start() -> pid().
start() ->
    Tracer = spawn(?MODULE, collect, [[]]),
    [code:ensure_loaded(Module) || {Module, _, _} <- doors()],
    _ = [erlang:trace_pattern(Door, true, []) || Door <- doors()],
    _ = erlang:trace(all, true, [call, {tracer, Tracer}]),
    Tracer.

-spec stop(pid()) -> [Statement :: term()].
stop(Tracer) ->
    _ = erlang:trace(all, false, [call]),
    Delivered = erlang:trace_delivered(all),
    receive
        {trace_delivered, all, Delivered} -> ok
    end,
    Tracer ! {statements, self()},
    receive
        {Tracer, Statements} -> Statements
    end.

%% @private
collect(Statements) ->
    receive
        {trace, _, call, {_, _, Arguments}} -> collect([statement(Arguments) | Statements]);
        {statements, From} -> From ! {self(), lists:reverse(Statements)}
    end.

%% For people, in the log of a test.
statement([_Connection, Statement | _]) ->
    try
        iolist_to_binary(Statement)
    catch
        error:badarg -> Statement
    end.
