%%% @doc Rights of many people at once, where rosters and privacy lists are in SQL and nobody else adds to them: one
%%% query for all, instead of some for each. What ejabberd has in its caches is taken from there; and where these have
%%% room for the others, ejabberd is asked for each of them, once, and remembers it. A cache that is turned off or too
%%% small would let every page cost as many queries as its reader has friends.
%%%
%%% A query that fails ends the caller with `exit:{aborted, _}', as Mnesia does: it tells nothing of anybody.
-module(twitter_sql_rights).

-include_lib("ejabberd/include/ejabberd_sql_pt.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([who_let_see/3, who_may_block/3, may_have_list/2]).

%% @doc Those of a vhost's users whose rosters let this reader, a bare JID, see them; `error' where ejabberd has to be asked
%% about each. Cost: one query at most.
-spec who_let_see(LServer :: binary(), Authors :: [twitter_nif:jid()], Reader :: jid:jid()) ->
          {ok, [twitter_nif:jid()]} | error.
who_let_see(LServer, Authors, Reader) ->
    #{owner := Owner, hooks := Hooks} = twitter_rights:subject(),
    Contact = jid:tolower(jid:remove_resource(Reader)),
    case is_asked(LServer, Authors, {Owner, mod_roster_sql, Hooks}) of
        true ->
            Key = fun(Author) -> {user(Author), LServer, Contact} end,
            ByCache = cached(mod_roster_opt:use_cache(LServer), roster_item_cache, Key, Authors),
            answered(Authors, ByCache, fun gives_right/1, fun(_Unknown) -> with_right(LServer, jid:encode(Contact)) end);
        false ->
            error
    end.

gives_right({ok, {Subscription, _Ask, _Groups}}) -> lists:member(Subscription, [both, from]);
gives_right(error) -> false.

with_right(LServer, Contact) ->
    [Author || {Author, Subscription} <- rows(LServer, Contact), lists:member(Subscription, [<<"B">>, <<"F">>])].

%% In whose roster this contact stands, and how. MySQL takes names for the same that are not.
rows(LServer, Contact) ->
    [{jid:encode({User, LServer, <<>>}), Subscription}
     || {User, Jid, Subscription} <- select(LServer, ?SQL("select @(username)s, @(jid)s, @(subscription)s from rosterusers"
                                                          " where jid=%(Contact)s and %(LServer)H")),
        Jid =:= Contact].

%% @doc Those of a vhost's users who may block this reader: who have a default privacy list, and others about whom that is
%% not known. `error' where ejabberd has to be asked about each. Cost: two queries at most.
-spec who_may_block(LServer :: binary(), Authors :: [twitter_nif:jid()], Reader :: jid:jid()) ->
          {ok, [twitter_nif:jid()]} | error.
who_may_block(LServer, Authors, Reader) ->
    #{owner := Owner, hooks := Hooks} = twitter_blocks:subject(),
    Contact = jid:tolower(jid:remove_resource(Reader)),
    case is_asked(LServer, Authors, {Owner, mod_privacy_sql, Hooks}) of
        true ->
            Key = fun(Author) -> {user(Author), LServer, default} end,
            ByCache = cached(mod_privacy_opt:use_cache(LServer), privacy_list_cache, Key, Authors),
            answered(Authors, ByCache, fun is_list_there/1, fun(Unknown) -> with_list(LServer, Unknown, jid:encode(Contact)) end);
        false ->
            error
    end.

is_list_there({ok, _List}) -> true;
is_list_there(error) -> false.

%% @doc `false' if this user has no default privacy list, and no other module can refuse anything for him. Asked from
%% ejabberd, which may have it in its cache.
-spec may_have_list(LUser :: binary(), LServer :: binary()) -> boolean().
may_have_list(LUser, LServer) ->
    #{owner := Owner, hooks := Hooks} = twitter_blocks:subject(),
    case is_in_sql(LServer, {Owner, mod_privacy_sql, Hooks}) andalso Owner:get_user_list(LUser, LServer, default) of
        error -> false;
        {error, Reason} -> exit({aborted, {privacy, Reason}});
        _ListOrUnknown -> true
    end.

%% Of those in whose rosters he stands; if a cache thought so of somebody else, it is not known whether he blocks.
with_list(LServer, Authors, Contact) ->
    Lists = [jid:encode({User, LServer, <<>>})
             || {User} <- select(LServer, ?SQL("select @(username)s from privacy_default_list where username in"
                                               " (select username from rosterusers where jid=%(Contact)s and %(LServer)H)"
                                               " and %(LServer)H"))],
    Lists ++ (Authors -- [Author || {Author, _} <- rows(LServer, Contact)]).

%% For a single one it would be no less.
is_asked(LServer, [_, _ | _], Subject) -> is_in_sql(LServer, Subject);
is_asked(_LServer, _Authors, _Subject) -> false.

is_in_sql(LServer, {Owner, Backend, Hooks}) ->
    gen_mod:is_loaded(LServer, Owner) andalso gen_mod:db_mod(LServer, Owner) =:= Backend
        andalso twitter_hooks:are_known(LServer, Hooks).

%% What is known of whom, and whether the cache will take what it does not know.
cached(false, _Cache, _Key, _Authors) ->
    {#{}, full};
cached(true, Cache, Key, Authors) ->
    Known = maps:from_list([{Author, Value} || Author <- Authors, Value <- [ets_cache:lookup(Cache, Key(Author), unknown)],
                                               Value =/= unknown]),
    {Known, case has_room(Cache, length(Authors) - map_size(Known)) of
                true -> roomy;
                false -> full
            end}.

has_room(Cache, Entries) ->
    try {ets_cache:info(Cache, max_size), ets_cache:info(Cache, size)} of
        {infinity, _} -> true;
        {Max, Size} -> Size + Entries =< Max
    catch
        %% There is none.
        error:badarg -> false
    end.

answered(Authors, {Known, Room}, Holds, Ask) ->
    case [Author || Author <- Authors, not is_map_key(Author, Known)] of
        [_ | _] when Room =:= roomy ->
            error;
        Unknown ->
            Found = case Unknown of
                        [] -> #{};
                        _ -> maps:from_keys(Ask(Unknown), true)
                    end,
            {ok, [Author || Author <- Authors,
                            case Known of
                                #{Author := Value} -> Holds(Value);
                                #{} -> is_map_key(Author, Found)
                            end]}
    end.

user(Author) ->
    (twitter_roster:bare(Author))#jid.luser.

select(LServer, Query) ->
    case ejabberd_sql:sql_query(LServer, Query) of
        {selected, Rows} -> Rows;
        Error -> exit({aborted, Error})
    end.
