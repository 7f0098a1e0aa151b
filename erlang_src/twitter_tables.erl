%%% @doc Whether the Mnesia tables can be read from which ejabberd answers. ejabberd's own modules do not
%%% always say when they cannot: a hook that fails is passed by, and a state that cannot be read counts as
%%% empty. To us an empty roster would mean no friends, an empty list of blocks that nobody is blocked, and
%%% an empty state that the posts are somebody else's. So they are looked at first; what fails ends with
%%% `exit:{aborted, _}', as it does in Mnesia itself.
-module(twitter_tables).

-export([check_pubsub/0, check/3]).

%% @doc Whether the storage of posts can be read.
-spec check_pubsub() -> ok.
check_pubsub() ->
    check([pubsub_node, pubsub_state, pubsub_item]).

%% @doc Whether this table can be read, if that module of a vhost keeps its data there.
-spec check(LServer :: binary(), {module(), Backend :: module()}, Table :: atom()) -> ok.
check(LServer, {Module, Backend}, Table) ->
    case gen_mod:is_loaded(LServer, Module) andalso gen_mod:db_mod(LServer, Module) of
        Backend -> check([Table]);
        _ -> ok
    end.

check(Tables) ->
    case [Table || Table <- Tables, not is_readable(Table)] of
        [] -> ok;
        %% As Mnesia ends whoever reads there.
        [Table | _] -> exit({aborted, {no_exists, Table}})
    end.

is_readable(Table) ->
    try mnesia:table_info(Table, where_to_read) of
        Node -> Node =/= nowhere
    catch
        exit:{aborted, _} -> false
    end.
