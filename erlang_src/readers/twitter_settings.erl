%%% @doc What a reader wants to get: pushes, bodies, what he missed, and from whom nothing for a while. The
%%% decisions are the core's (`native/core/src/settings.rs'); {@link twitter_private} keeps them.
%%%
%%% A session remembers what it read, until it is told that something changed. Who has no settings, or
%%% whose cannot be read at the moment, gets everything: they are a comfort, not a right.
-module(twitter_settings).

-include_lib("xmpp/include/xmpp.hrl").

-export([are_available/1, get/1, heard/2]).
-export([set/4, mute/3, unmute/2, reset/2, stored/1]).
-export([share/3, forget/1]).
-export_type([settings/0]).

-type settings() :: #{pushes := boolean(), bodies := boolean(), catch_up := boolean(),
                      muted := [{Friend :: twitter_nif:jid(), twitter_nif:until()}]}.
%% Whom a session lets in: by default everybody.
-type known() :: default | twitter_nif:settings().

-define(NS_SETTINGS, <<"urn:ejabberd:twitter:settings">>).

%% @doc Whether this reader can have settings: a user of the vhost, if that has private storage.
-spec are_available(twitter_reader:reader()) -> boolean().
are_available(#{jid := #jid{lserver = LServer}} = Reader) ->
    twitter_reader:is_at_home(Reader) andalso twitter_private:is_available(LServer).

%% @doc The settings of a local user. Mutes that have ended are left out.
-spec get(jid:jid()) -> settings().
get(User) ->
    view(or_default(read(User))).

view(Settings) ->
    {Pushes, Bodies, CatchUp, Muted} = twitter_nif:settings_view(Settings, now_micros()),
    #{pushes => Pushes, bodies => Bodies, catch_up => CatchUp, muted => Muted}.

%% @doc Of a local user's friends, those whose posts stand in his FriendsStream at this moment.
-spec heard(jid:jid(), [{Friend :: twitter_nif:jid(), Name}]) -> [{twitter_nif:jid(), Name}].
heard(User, Friends) ->
    case read(User) of
        {ok, Settings} -> twitter_nif:settings_heard(Settings, Friends, now_micros());
        _ -> Friends
    end.

%% @doc Changes what the reader gets.
-spec set(twitter_reader:reader(), Pushes :: boolean(), Bodies :: boolean(), CatchUp :: boolean()) -> ok.
set(Reader, Pushes, Bodies, CatchUp) ->
    change(Reader, fun(Settings) -> {ok, twitter_nif:settings_set(Settings, Pushes, Bodies, CatchUp)} end,
           fun(Wants) -> [ok = twitter_unread:pushes(Reader, Pushes) || Wants =:= Pushes] end).

%% @doc The posts of this friend are neither pushed nor in FriendsStream until then.
-spec mute(twitter_reader:reader(), Friend :: twitter_nif:jid(), twitter_nif:until()) -> ok.
mute(Reader, Friend, Until) ->
    change(Reader, fun(Settings) -> twitter_nif:settings_mute(Settings, Friend, Until, now_micros()) end).

%% @doc They are again.
-spec unmute(twitter_reader:reader(), Friend :: twitter_nif:jid()) -> ok.
unmute(Reader, Friend) ->
    change(Reader, fun(Settings) -> {ok, twitter_nif:settings_unmute(Settings, Friend)} end).

%% @doc Everything is as for somebody who was never here: settings, mutes, and what he has read.
-spec reset(jid:jid(), twitter_service:served()) -> ok | {error, unavailable | #stanza_error{}}.
reset(User, Service) ->
    Erased = twitter_writer:run(Service, jid:encode(User), fun() -> twitter_private:erase(User) end),
    changed(User),
    case Erased of
        ok -> twitter_private:sync();
        {error, unavailable} -> Erased
    end.

%% @doc What is stored of a local user's settings; `none' where there is no storage.
-spec stored(jid:jid()) -> {ok, settings()} | none | {error, unavailable}.
stored(#jid{lserver = LServer} = User) ->
    case twitter_private:is_available(LServer) andalso read(User) of
        {ok, Settings} -> {ok, view(Settings)};
        {error, unavailable} -> {error, unavailable};
        _ -> none
    end.

change(Reader, Change) ->
    change(Reader, Change, fun(_WantsPushes) -> ok end).

%% Whoever has his answer finds the change made, in all his sessions, and after a crash. What his sessions do not
%% take from now on is unread, until they have been told to take it.
change(#{jid := User, name := Name, service := Service, lang := Lang} = Reader, Change, Push) ->
    are_available(Reader) orelse twitter_error:refuse(no_settings, Lang),
    ok = twitter_writer:run(
           Service, Name,
           fun() ->
                   case Change(kept(User, Lang)) of
                       {ok, Settings} -> keep(User, Settings, Lang);
                       {error, Reason} -> twitter_error:refuse(Reason, Lang)
                   end
           end),
    _ = Push(false),
    changed(User),
    _ = Push(true),
    case twitter_private:sync() of
        ok -> ok;
        {error, Error} -> twitter_error:refuse(Error, Lang)
    end.

%% What cannot be read is not written over.
kept(User, Lang) ->
    case read(User) of
        {error, unavailable} -> twitter_error:refuse(storage_failed, Lang);
        Settings -> or_default(Settings)
    end.

keep(User, Settings, Lang) ->
    case twitter_private:write(User, fxml_stream:parse_element(twitter_nif:settings_write(Settings))) of
        ok -> ok;
        {error, _} -> twitter_error:refuse(storage_failed, Lang)
    end.

%% Tells the user's sessions, here and on other nodes.
changed(#jid{luser = LUser, lserver = LServer}) ->
    lists:foreach(fun(Session) -> Session ! {?MODULE, changed} end,
                  [Pid || Resource <- ejabberd_sm:get_user_resources(LUser, LServer),
                          Pid <- [ejabberd_sm:get_session_pid(LUser, LServer, Resource)], is_pid(Pid)]).

%% @doc How the user of a session gets news of an author; and the state of the session, which remembers the
%% settings.
-spec share(ejabberd_c2s:state(), Author :: twitter_nif:jid(), twitter_c2s:news()) ->
          {whole | without_body | nothing, ejabberd_c2s:state()}.
share(State, _Author, own) ->
    {whole, State};
share(State, Author, News) ->
    case of_session(State) of
        {default, Known} ->
            {whole, Known};
        {Settings, Known} ->
            {twitter_nif:settings_share(Settings, Author, News, now_micros()), Known}
    end.

%% @doc The settings of the user of a session may have changed.
-spec forget(ejabberd_c2s:state()) -> ejabberd_c2s:state().
forget(State) ->
    maps:remove(?MODULE, State).

-spec of_session(ejabberd_c2s:state()) -> {known(), ejabberd_c2s:state()}.
of_session(#{?MODULE := Settings} = State) ->
    {Settings, State};
of_session(#{jid := User} = State) ->
    case read(User) of
        {ok, Settings} -> {Settings, State#{?MODULE => Settings}};
        none -> {default, State#{?MODULE => default}};
        {error, unavailable} -> {default, State}
    end.

read(User) ->
    case twitter_private:read(User, ?NS_SETTINGS) of
        {ok, Element} -> {ok, twitter_nif:settings_read(fxml:element_to_binary(Element))};
        Other -> Other
    end.

or_default({ok, Settings}) -> Settings;
or_default(_) -> twitter_nif:settings_read(<<>>).

now_micros() ->
    erlang:system_time(microsecond).
