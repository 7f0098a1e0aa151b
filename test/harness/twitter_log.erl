%%% What the server under test writes to its log.
-module(twitter_log).

-export([said/2, errors/1, without_killed/1]).

%% @doc What the log says while `Fun' runs.
-spec said(twitter_server:server(), fun(() -> term())) -> binary().
said(Server, Fun) ->
    Length = byte_size(twitter_server:log(Server)),
    _ = Fun(),
    <<_:Length/binary, Log/binary>> = twitter_server:log(Server),
    Log.

%% @doc The entries that are errors. That MariaDB has ended one of two transactions which waited for each other is
%% none: ejabberd begins it anew, and says so if that was often in vain.
-spec errors(Log :: binary()) -> [binary()].
errors(Log) ->
    [Entry || Entry <- entries(Log), nomatch =/= re:run(Entry, "^[^\n]*\\[(error|critical)\\]"),
              nomatch =:= binary:match(Entry, <<"#40001Deadlock found">>)].

%% @doc Without what supervisors say of processes that were killed, and those that ended with a supervisor
%% that was, or ejabberd's pool of connections of what mod_pubsub asked in the moment when it was stopped; nor what
%% ejabberd says of a part of it that was killed and starts again.
-spec without_killed(Log :: binary()) -> binary().
without_killed(Log) ->
    Killed = "(reason: |exception exit: |Reason for termination ==\n\\*\\* )killed"
        "|Transaction aborted:\n\\*\\* exception error: {unregistered_route,"
        %% mod_pubsub that starts again takes requests before it knows its plugins.
        "|Failed to process iq:.*lists:member\\(<<\"flat\">>,undefined\\)"
        %% Newer ones complain when mod_pubsub starts again and defines its commands.
        "|another one already exists with the same name:\n Existing: {ejabberd_commands,delete_[a-z]+_pubsub_items,"
        %% The transaction of one that was killed goes on beside that of the next, who begins anew then.
        "|SQL query [^\n]*{twitter_sql_storage,.*(23505|Duplicate entry|UNIQUE constraint failed)",
    iolist_to_binary([[Entry, $\n] || Entry <- entries(Log), re:run(Entry, Killed, [dotall]) =:= nomatch]).

%% Each begins with the time.
entries(Log) ->
    re:split(Log, "\n(?=[0-9]{4}-[0-9-]+[ T][0-9:.+]+ \\[)").
