%%% Where private servers keep what they store: each has a database of its own, which it keeps while it is
%%% restarted, and which is dropped when it stops for good.
%%%
%%% TWITTER_STORAGE says which: mnesia (or nothing), sqlite, pgsql, mysql. With SQL, all that can be is kept
%%% there: accounts, rosters, blocks, posts. SQLite has ejabberd's old schema, with a file for each vhost; the
%%% others have the new one, with one database for all vhosts of a server. run_ct.escript starts PostgreSQL or
%%% MariaDB for the whole run, and says in TWITTER_DATABASE where: "PORT PASSWORD".
-module(twitter_database).

-export([storage/0, is_sql/0, suites/1, only/3, left_out/0, schema/1]).
-export([new/1, kind/1, add_hosts/2, options/2, drop/1]).

-export_type([storage/0, database/0]).

-type storage() :: mnesia | sqlite | pgsql | mysql.
-opaque database() :: mnesia | {sqlite, Folder :: file:filename_all()} | {pgsql | mysql, Name :: binary()}.

-define(USER, <<"twitter">>).
-define(ADDRESS, <<"127.0.0.1">>).

%%% What a run is about

%% @doc What the servers of this run store in, where nothing else is said.
-spec storage() -> storage().
storage() ->
    case os:getenv("TWITTER_STORAGE", "") of
        "" -> mnesia;
        "mnesia" -> mnesia;
        "sqlite" -> sqlite;
        "pgsql" -> pgsql;
        "mysql" -> mysql
    end.

-spec is_sql() -> boolean().
is_sql() ->
    storage() =/= mnesia.

%% @doc For all/0 and groups/0: cases that are about Mnesia itself, or about SQL itself. They are left out
%% where the run has the other, and the end of the run says so.
-spec only(mnesia | sql, Why :: string(), [Case]) -> [Case].
only(Wanted, Why, Cases) ->
    case (Wanted =:= sql) =:= is_sql() of
        true ->
            Cases;
        false ->
            Line = io_lib:format("~0tp: ~ts~n", [Cases, Why]),
            ok = file:write_file(left_out(), unicode:characters_to_binary(Line), [append]),
            []
    end.

%% @doc Those of the suites that this run is about: with SQL not those that store next to nothing.
-spec suites([Suite :: module()]) -> [Suite :: module()].
suites(Suites) ->
    case storage() of
        mnesia -> Suites;
        %% Several nodes cannot share one file.
        sqlite -> Suites -- [cluster_SUITE, cluster_faults_SUITE, cluster_federation_SUITE | without_storage()];
        _ -> Suites -- without_storage()
    end.

%% Their subject is the core and the way into it, texts and forms, or connections between servers, and what is
%% stored on the way is what other suites store as well.
without_storage() ->
    [
        nif_SUITE, nif_failure_SUITE, nif_fuzz_SUITE,
        entries_SUITE, languages_SUITE, payload_SUITE, titles_SUITE, wishes_SUITE,
        federation_clock_SUITE, federation_faults_SUITE, link_SUITE, peer_SUITE, relay_SUITE, relay_xml_SUITE, singles_SUITE
    ].

%% @doc The file that says what was left out; a line may stand there more than once.
-spec left_out() -> file:filename_all().
left_out() ->
    filename:join(run_folder(), "left_out.txt").

%% @doc The file with the tables.
-spec schema(sqlite | pgsql | mysql) -> file:filename_all().
schema(Kind) ->
    Name = maps:get(Kind, #{sqlite => "lite.sql", pgsql => "pg.new.sql", mysql => "mysql.new.sql"}),
    Ejabberd = filename:dirname(filename:dirname(code:which(ejabberd_sql))),
    Folders = [filename:join([Ejabberd, "priv", "sql"]), filename:join(Ejabberd, "sql"), "/usr/share/ejabberd/sql"],
    [File | _] = [File || Folder <- Folders, File <- [filename:join(Folder, Name)], filelib:is_regular(File)],
    File.

%%% The database of a server

%% @doc Makes a database for a server that is to have the option `storage', or that of the run.
-spec new(twitter_server:options()) -> database().
new(Options) ->
    case maps:get(storage, Options, storage()) of
        mnesia ->
            mnesia;
        sqlite ->
            {sqlite, filename:join(twitter_node:folder(Options), "sqlite")};
        Kind ->
            %% No two of the suites that run at a time share a process of the operating system.
            Number = integer_to_binary(erlang:unique_integer([positive])),
            Name = iolist_to_binary(["server_", os:getpid(), "_", Number]),
            ok = create(Kind, Name),
            {Kind, Name}
    end.

-spec kind(database()) -> storage().
kind(mnesia) -> mnesia;
kind({Kind, _}) -> Kind.

%% @doc Makes what these vhosts need and do not have.
-spec add_hosts(database(), [binary()]) -> ok.
add_hosts({sqlite, Folder}, Hosts) ->
    lists:foreach(
        fun(File) ->
            ok = filelib:ensure_dir(File),
            %% What is there is the server's.
            filelib:is_regular(File) orelse copy_template(File)
        end,
        [sqlite_file(Folder, Host) || Host <- Hosts]
    );
add_hosts(_Database, _Hosts) ->
    ok.

%% @doc Options of ejabberd's top level, with which these vhosts use it.
-spec options(database(), [binary()]) -> #{atom() => twitter_yaml:value()}.
options(mnesia, _Hosts) ->
    #{auth_method => [mnesia]};
options({sqlite, Folder}, Hosts) ->
    File = fun(Host) -> #{sql_database => unicode:characters_to_binary(sqlite_file(Folder, Host))} end,
    Files = maps:from_list([{Host, File(Host)} || Host <- Hosts]),
    (sql(sqlite, false))#{host_config => Files, sql_pool_size => 1};
options({Kind, Name}, _Hosts) ->
    {Port, Password} = place(),
    (sql(Kind, true))#{
        sql_server => ?ADDRESS,
        sql_port => Port,
        sql_database => Name,
        sql_username => ?USER,
        sql_password => Password,
        sql_pool_size => 5
    }.

%% @doc Deletes it, whatever is in it.
-spec drop(database()) -> ok.
drop(mnesia) -> ok;
drop({sqlite, Folder}) -> file:del_dir_r(Folder), ok;
drop({pgsql, Name}) -> pgsql(["DROP DATABASE ", Name, " WITH (FORCE)"]);
drop({mysql, Name}) -> mysql([], ["DROP DATABASE ", Name]).

sql(Kind, IsNewSchema) ->
    Options = #{
        auth_method => [sql], default_db => sql, sql_type => Kind, new_sql_schema => IsNewSchema
    },
    %% Newer versions of ejabberd would change the tables themselves.
    case code:which(ejabberd_sql_schema) of
        non_existing -> Options;
        _ -> Options#{update_sql_schema => false}
    end.

%% Each run has its compiled modules in a folder of its own.
run_folder() ->
    filename:dirname(code:which(?MODULE)).

%%% SQLite

sqlite_file(Folder, Host) ->
    filename:join(Folder, <<Host/binary, ".db">>).

copy_template(File) ->
    Template = filename:join(run_folder(), "template.db"),
    global:trans({?MODULE, self()}, fun() ->
        filelib:is_regular(Template) orelse make_template(Template),
        ok
    end),
    {ok, _} = file:copy(Template, File),
    ok.

%% Other suites may be about to do the same: only a whole one gets that name.
make_template(Template) ->
    File = lists:append([Template, ".", os:getpid()]),
    {ok, Script} = file:read_file(schema(sqlite)),
    {ok, _} = sqlite3:open(?MODULE, [{file, File}]),
    ok = sqlite3:sql_exec(?MODULE, "PRAGMA synchronous = off"),
    [ok] = lists:usort(sqlite3:sql_exec_script(?MODULE, ["BEGIN;", Script, "COMMIT;"])),
    _ = sqlite3:close(?MODULE),
    ok = file:rename(File, Template).

%%% PostgreSQL and MariaDB

place() ->
    [Port, Password] = string:lexemes(os:getenv("TWITTER_DATABASE"), " "),
    {list_to_integer(Port), list_to_binary(Password)}.

create(pgsql, Name) ->
    pgsql(["CREATE DATABASE ", Name, " TEMPLATE template"]);
create(mysql, Name) ->
    ok = mysql([], ["CREATE DATABASE ", Name, " CHARACTER SET utf8mb4"]),
    {ok, Script} = file:read_file(schema(mysql)),
    mysql([Name], Script).

pgsql(Statement) ->
    {Port, Password} = place(),
    {ok, Connection} = pgsql:connect([
        {host, ?ADDRESS}, {port, Port}, {user, ?USER}, {password, Password}, {database, <<"postgres">>}, {as_binary, true}
    ]),
    {ok, [<<_/binary>>]} = pgsql:squery(Connection, Statement, 60_000),
    pgsql:terminate(Connection),
    ok.

%% A script goes by a file: the client has no other way to tell its end.
mysql(Database, Script) ->
    {Port, Password} = place(),
    Number = integer_to_list(erlang:unique_integer([positive])),
    File = filename:join(run_folder(), lists:append(["script.", os:getpid(), ".", Number])),
    ok = file:write_file(File, Script),
    true = os:putenv("MYSQL_PWD", binary_to_list(Password)),
    Command = io_lib:format("mariadb --no-defaults --protocol=tcp --host=~s --port=~b --user=~s ~s <'~ts' 2>&1", [
        ?ADDRESS, Port, ?USER, Database, File
    ]),
    "" = os:cmd(lists:flatten(Command)),
    ok = file:delete(File).
