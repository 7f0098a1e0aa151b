%%% @doc Which users may block anybody: those who have a privacy list (XEP-0016, XEP-0191). Of all others
%%% ejabberd need not be asked, for each recipient of each post, whether they block.
-module(twitter_blocks).
-behaviour(twitter_watch).

-include_lib("xmpp/include/xmpp.hrl").

-export([blockers/1, may_block/2, may_block/3, who_may_block/3, may_have_list/1]).
-export_type([blockers/0]).
-export([subject/0, begun/0, matters/1, changes/2, changed/2, ended/1]).

%% Who has lists, if that is known.
-opaque blockers() :: {ok, ets:tid()} | error.

%% @doc The users of a vhost who may block: see {@link twitter_watch:sync/0}. Not to be kept.
-spec blockers(LServer :: binary()) -> blockers().
blockers(LServer) ->
    twitter_watch:find(?MODULE, LServer).

%% @doc `false' if this user of this server blocks nobody.
-spec may_block(LUser :: binary(), LServer :: binary()) -> boolean().
may_block(LUser, LServer) ->
    may_block(LUser, LServer, blockers(LServer)).

%% @doc The same, for many users of a vhost.
-spec may_block(LUser :: binary(), LServer :: binary(), blockers()) -> boolean().
may_block(LUser, LServer, {ok, Table}) ->
    try ets:member(Table, {LUser, LServer})
    catch error:badarg -> true
    end;
may_block(_LUser, _LServer, error) ->
    true.

%% @doc Of a vhost's users those who may block this reader, as far as it is cheap to know: of all others it is sure that they do
%% not.
-spec who_may_block(LServer :: binary(), Authors :: [twitter_nif:jid()], Reader :: jid:jid()) -> [twitter_nif:jid()].
who_may_block(LServer, Authors, Reader) ->
    case blockers(LServer) of
        %% It is looked up for each.
        {ok, _} ->
            Authors;
        error ->
            case twitter_sql_rights:who_may_block(LServer, Authors, Reader) of
                {ok, Some} -> Some;
                error -> Authors
            end
    end.

%% @doc `false' if this user of this server has no default privacy list.
-spec may_have_list(jid:jid()) -> boolean().
may_have_list(#jid{luser = LUser, lserver = LServer}) ->
    case blockers(LServer) of
        {ok, _} = Known -> may_block(LUser, LServer, Known);
        error -> twitter_sql_rights:may_have_list(LUser, LServer)
    end.

%% @private mod_last and mod_pres_counter have nothing to say about messages, nor about the presence of
%% somebody who is there.
-spec subject() -> twitter_watch:subject().
subject() ->
    #{table => privacy, owner => mod_privacy, backend => mod_privacy_mnesia,
      hooks => [{privacy_check_packet, [mod_privacy, mod_last, mod_pres_counter]}]}.

%% @private Who has lists, and how many changes of them are going on.
-spec begun() -> ets:tid().
begun() ->
    Table = ets:new(?MODULE, [protected, {read_concurrency, true}]),
    true = ets:insert(Table, [{User, 0} || User <- mnesia:dirty_all_keys(privacy)]),
    Table.

%% @private
-spec matters(Key :: term()) -> true.
matters(_Key) -> true.

%% @private Whose lists are changing may block.
-spec changes(ets:tid(), User :: term()) -> integer().
changes(Table, User) ->
    ets:update_counter(Table, User, 1, {User, 0}).

%% @private
-spec changed(ets:tid(), User :: term()) -> boolean().
changed(Table, User) ->
    0 =:= ets:update_counter(Table, User, -1, {User, 0})
        andalso mnesia:dirty_read(privacy, User) =:= []
        andalso ets:delete(Table, User).

%% @private
-spec ended(ets:tid()) -> true.
ended(Table) ->
    ets:delete(Table).
