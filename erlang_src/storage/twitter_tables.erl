%%% @doc Whether the tables can be read from which ejabberd answers. ejabberd's own modules do not
%%% always say when they cannot: a hook that fails is passed by, and a state that cannot be read counts as
%%% empty. To us an empty roster would mean no friends, an empty list of blocks that nobody is blocked, and
%%% an empty state that the posts are somebody else's. So they are looked at first; what fails ends with
%%% `exit:{aborted, _}', as it does in Mnesia itself.
-module(twitter_tables).

-include_lib("xmpp/include/xmpp.hrl").

-export([check_pubsub/0, check/3, check_lists/2, check_roster/3]).

%% @doc Whether the storage of posts can be read.
-spec check_pubsub() -> ok.
check_pubsub() ->
    check([pubsub_node, pubsub_state, pubsub_item]).

%% @doc Whether the privacy list of a user can be read that counts: the one that is active, or else his default
%% one. In SQL that is asked from ejabberd's cache, which also knows of those who have none; only what cannot be read
%% is not there.
-spec check_lists(jid:jid(), Active :: none | binary()) -> ok.
check_lists(#jid{luser = LUser, lserver = LServer}, Active) ->
    case gen_mod:is_loaded(LServer, mod_privacy) andalso gen_mod:db_mod(LServer, mod_privacy) of
        false -> ok;
        mod_privacy_mnesia -> check([privacy]);
        _ -> lists:foreach(fun(Name) -> check_list(LUser, LServer, Name) end, [default | [Active || Active =/= none]])
    end.

check_list(LUser, LServer, Name) ->
    case mod_privacy:get_user_list(LUser, LServer, Name) of
        {ok, _} -> ok;
        error -> ok;
        {error, Reason} -> exit({aborted, {privacy, Reason}})
    end.

%% @doc Whether a roster that is said to be empty is so. In SQL the database is asked then, unless ejabberd's cache
%% knows that it is: its own module says so of one that cannot be read, too.
-spec check_roster(LUser :: binary(), LServer :: binary(), Items :: list()) -> ok.
check_roster(LUser, LServer, []) ->
    case gen_mod:is_loaded(LServer, mod_roster) andalso gen_mod:db_mod(LServer, mod_roster) of
        mod_roster_sql ->
            case cached_roster(LUser, LServer) =:= {ok, []} orelse mod_roster_sql:get_roster(LUser, LServer) of
                true -> ok;
                {ok, _} -> ok;
                error -> exit({aborted, {rosterusers, LServer}})
            end;
        _ ->
            ok
    end;
check_roster(_LUser, _LServer, _Items) ->
    ok.

cached_roster(LUser, LServer) ->
    try
        ets_cache:lookup(roster_cache, {LUser, LServer})
    catch
        %% There is no cache.
        error:badarg -> none
    end.

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
