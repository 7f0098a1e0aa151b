%%% What a server under test has stored, in whatever storage it has, and ways to harm that.
-module(twitter_stored).

-include_lib("ejabberd/include/pubsub.hrl").

-export([authors/1, post/3, write/2, damaged/2, everything/1, orphans/1, of_user/2, private/2]).
-export([without/3, unwritable/3, sync/1]).
-export([call/3, all/2, rows/2, sql/2]).

-define(SERVICE, <<"pubsub.localhost">>).

-type server() :: twitter_server:server().

%%% Posts

%% @doc Everybody of whom there is a node that holds posts.
-spec authors(server()) -> [Author :: binary()].
authors(Server) ->
    twitter_server:call(Server, twitter_storage, authors, [?SERVICE]).

%% @doc A post, or an item of the books that the plugin keeps beside posts.
-spec post(server(), Author :: binary(), Id :: binary()) -> #pubsub_item{}.
post(Server, Author, Id) ->
    Items = twitter_server:call(Server, twitter_storage, items, [?SERVICE, Author]),
    [Item] = [Item || #pubsub_item{itemid = {Found, _}} = Item <- Items, Found =:= Id],
    Item.

%% @doc Writes one as it is given.
-spec write(server(), #pubsub_item{}) -> ok.
write(Server, Item) ->
    case is_sql(Server) of
        true -> twitter_server:call(Server, twitter_storage, write, [?SERVICE, [Item]]);
        false -> call(Server, dirty_write, [Item])
    end.

%% @doc Writes a post so that it is none: what stands for its payload, or for its moment, is something else. Such
%% things depend on the storage: see storage_SUITE.
-spec damaged(server(), {#pubsub_item{}, payload | creation, Garbage :: term()}) -> ok.
damaged(Server, {#pubsub_item{itemid = {Id, Nidx}} = Item, Field, Garbage}) ->
    case is_sql(Server) of
        true ->
            %% It may be gone by now.
            ok = write(Server, Item),
            Stored = twitter_server:call(Server, twitter_sql_text, item, [Id]),
            sql(Server, ["UPDATE pubsub_item SET ", atom_to_list(Field), "=", quoted(Garbage), " WHERE nodeid=",
                         integer_to_list(Nidx), " AND itemid=", quoted(Stored)]);
        false when Field =:= payload ->
            call(Server, dirty_write, [Item#pubsub_item{payload = Garbage}]);
        false ->
            call(Server, dirty_write, [Item#pubsub_item{creation = Garbage}])
    end.

%% @doc All that mod_pubsub has stored, to be compared with what it has later.
-spec everything(server()) -> [{Table :: atom(), [tuple()]}].
everything(Server) ->
    [{Table, lists:sort(all(Server, Table))} || Table <- [pubsub_node, pubsub_state, pubsub_item]].

%% @doc Items that belong to no node.
-spec orphans(server()) -> [term()].
orphans(Server) ->
    case is_sql(Server) of
        true ->
            rows(Server, "SELECT itemid FROM pubsub_item WHERE nodeid NOT IN (SELECT nodeid FROM pubsub_node)");
        false ->
            Nodes = [Nidx || #pubsub_node{id = Nidx} <- all(Server, pubsub_node)],
            [Key || {_, Nidx} = Key <- call(Server, dirty_all_keys, [pubsub_item]), not lists:member(Nidx, Nodes)]
    end.

%% @doc All of a user that is stored for his microblog: nodes, affiliations, items.
-spec of_user(server(), twitter_client:user()) -> [term()].
of_user(Server, User) ->
    Jid = twitter_users:jid(User),
    case is_sql(Server) of
        true ->
            %% Beside nodes with his name all rows that have it, since no one else's have.
            Node = twitter_server:call(Server, twitter_sql_text, stored, [Jid]),
            rows(Server, ["SELECT node, nodeid FROM pubsub_node WHERE node=", quoted(Node)]) ++
                rows(Server, ["SELECT jid, nodeid FROM pubsub_state WHERE jid=", quoted(Jid)]) ++
                rows(Server, ["SELECT publisher, itemid FROM pubsub_item WHERE publisher=", quoted(Jid),
                              " OR publisher LIKE ", quoted(<<Jid/binary, "/%">>)]);
        false ->
            Node = twitter_path:stored(Jid),
            [Found || #pubsub_node{nodeid = {?SERVICE, Id}} = Found <- all(Server, pubsub_node), Id =:= Node] ++
                [State || #pubsub_state{stateid = {{Name, Host, <<>>}, _}} = State <- all(Server, pubsub_state),
                          {Name, Host} =:= User] ++
                [Item || #pubsub_item{creation = {_, {Name, Host, _}}} = Item <- all(Server, pubsub_item),
                         {Name, Host} =:= User]
    end.

%% @doc Namespaces of what a user has in private XML storage, read past all caches.
-spec private(server(), twitter_client:user()) -> [Namespace :: binary()].
private(Server, {Name, Host}) ->
    case is_sql(Server) of
        true ->
            [Ns || [Ns] <- rows(Server, ["SELECT namespace FROM private_storage WHERE username=", quoted(Name)])];
        false ->
            Found = call(Server, dirty_match_object, [{private_storage, {Name, Host, '_'}, '_'}]),
            [Ns || {private_storage, {_, _, Ns}, _} <- Found]
    end.

%%% Storage fails

%% @doc Runs `Fun' while there is no such table; then it is as before. It is named as Mnesia's.
-spec without(server(), Table :: atom(), fun(() -> term())) -> ok.
without(Server, Table, Fun) ->
    case is_sql(Server) of
        true -> without_in_sql(Server, in_sql(Table), Fun);
        false -> without_in_mnesia(Server, Table, Fun)
    end.

without_in_sql(Server, Table, Fun) ->
    Rename = fun(From, To) -> ok = sql(Server, ["ALTER TABLE ", From, " RENAME TO ", To]) end,
    Rename(Table, [Table, "_away"]),
    try
        _ = Fun(),
        ok
    after
        Rename([Table, "_away"], Table)
    end.

in_sql(roster) -> "rosterusers";
%% Which list is the default one is asked first, of everybody.
in_sql(privacy) -> "privacy_default_list";
in_sql(Table) -> atom_to_list(Table).

without_in_mnesia(Server, Table, Fun) ->
    Info = fun(What) -> {What, call(Server, table_info, [Table, What])} end,
    {attributes, Attributes} = Info(attributes),
    {index, Positions} = Info(index),
    Index = [lists:nth(Position - 1, Attributes) || Position <- Positions],
    Same = [attributes, type, record_name, disc_copies, disc_only_copies, ram_copies],
    Definition = [{index, Index} | lists:map(Info, Same)],
    Records = all(Server, Table),
    {atomic, ok} = call(Server, delete_table, [Table]),
    try
        _ = Fun(),
        ok
    after
        {atomic, ok} = call(Server, create_table, [Table, Definition]),
        [ok = call(Server, dirty_write, [Table, Record]) || Record <- Records]
    end.

%% @doc Runs `Fun' while a table can be read only.
-spec unwritable(server(), Table :: atom(), fun(() -> term())) -> ok.
unwritable(Server, Table, Fun) ->
    {Begin, End} = freeze(twitter_server:storage(Server), atom_to_list(Table)),
    lists:foreach(fun(Step) -> ok = freeze_step(Server, Step) end, Begin),
    try
        _ = Fun(),
        ok
    after
        lists:foreach(fun(Step) -> ok = freeze_step(Server, Step) end, End)
    end.

freeze_step(Server, {Table, Mode}) ->
    {atomic, ok} = call(Server, change_table_access_mode, [Table, Mode]),
    ok;
freeze_step(Server, Statement) ->
    sql(Server, Statement).

freeze(mnesia, Name) ->
    Table = list_to_existing_atom(Name),
    {[{Table, read_only}], [{Table, read_write}]};
freeze(pgsql, Table) ->
    {
        [
            "CREATE FUNCTION frozen() RETURNS trigger AS 'BEGIN RAISE EXCEPTION ''frozen''; END;' LANGUAGE plpgsql",
            ["CREATE TRIGGER frozen BEFORE INSERT OR UPDATE OR DELETE ON ", Table, " EXECUTE FUNCTION frozen()"]
        ],
        [["DROP TRIGGER frozen ON ", Table], "DROP FUNCTION frozen()"]
    };
freeze(Kind, Table) ->
    Refusal = maps:get(Kind, #{
        sqlite => "BEGIN SELECT RAISE(ABORT, 'frozen'); END",
        mysql => "FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'frozen'"
    }),
    Changes = ["INSERT", "UPDATE", "DELETE"],
    {
        [["CREATE TRIGGER frozen_", Change, " BEFORE ", Change, " ON ", Table, " ", Refusal] || Change <- Changes],
        [["DROP TRIGGER frozen_", Change] || Change <- Changes]
    }.

%% @doc Returns when accounts, rosters, blocks and marks will be found after a kill -9: Mnesia has them in memory only
%% for up to two seconds, dets for three. (Posts are the plugin's business.)
-spec sync(server()) -> ok.
sync(Server) ->
    case is_sql(Server) of
        true -> ok;
        false ->
            ok = call(Server, sync_log, []),
            lists:foreach(fun(File) -> ok = twitter_server:call(Server, dets, sync, [File]) end,
                          twitter_server:call(Server, dets, all, []))
    end.

%%% Either storage

is_sql(Server) ->
    twitter_server:storage(Server) =/= mnesia.

%% @doc All records of a table, or all rows.
-spec all(server(), Table :: atom()) -> [tuple()].
all(Server, Table) ->
    case is_sql(Server) of
        true -> [list_to_tuple([Table | Row]) || Row <- rows(Server, ["SELECT * FROM ", atom_to_list(Table)])];
        false -> call(Server, dirty_match_object, [Table, call(Server, table_info, [Table, wild_pattern])])
    end.

%% @doc Calls Mnesia.
-spec call(server(), Function :: atom(), [term()]) -> term().
call(Server, Function, Args) ->
    twitter_server:call(Server, mnesia, Function, Args).

%% @doc What a query finds in the database of the first vhost.
-spec rows(server(), Query :: iodata()) -> [[binary()]].
rows(Server, Query) ->
    {selected, _, Rows} = query(Server, Query),
    Rows.

%% @doc Runs a statement in the database of the first vhost.
-spec sql(server(), Statement :: iodata()) -> ok.
sql(Server, Statement) ->
    case query(Server, Statement) of
        {updated, _} -> ok;
        ok -> ok
    end.

query(Server, Query) ->
    [Host | _] = twitter_server:hosts(Server),
    twitter_server:call(Server, ejabberd_sql, sql_query, [Host, iolist_to_binary(Query)]).

%% Of what tests write: nothing with a backslash.
quoted(Text) ->
    ["'", binary:replace(Text, <<"'">>, <<"''">>, [global]), "'"].
