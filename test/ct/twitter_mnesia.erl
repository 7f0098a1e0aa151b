%%% The tables of the server under test.
-module(twitter_mnesia).

-export([call/3, all/2, without/3]).

-spec call(twitter_server:server(), Function :: atom(), [term()]) -> term().
call(Server, Function, Args) ->
    twitter_server:call(Server, mnesia, Function, Args).

%% @doc All records of a table.
-spec all(twitter_server:server(), Table :: atom()) -> [tuple()].
all(Server, Table) ->
    call(Server, dirty_match_object, [Table, call(Server, table_info, [Table, wild_pattern])]).

%% @doc Runs `Fun' while there is no such table; then it is as before.
-spec without(twitter_server:server(), Table :: atom(), fun(() -> term())) -> ok.
without(Server, Table, Fun) ->
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
