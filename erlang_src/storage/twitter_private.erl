%%% @doc What a user's own server keeps for him beside his posts: his settings, and what he has not read.
%%% It lies where XMPP keeps such things, in private XML storage (XEP-0049), one element for each namespace:
%%% in whatever database the admin chose for `mod_private', in its exports, and gone with the account.
%%%
%%% The user's clients can read and write it too, so what is found there may be anything.
-module(twitter_private).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([is_available/1, read/2, read_stored/2, write/2, write_of_host/2, erase/1, sync/0]).

%% Under which the plugin keeps something.
-define(NAMESPACES, [<<"urn:ejabberd:twitter:settings">>, <<"urn:ejabberd:twitter:unread">>]).

%% @doc Whether a vhost has such storage. Without it nobody there has settings, and nobody misses anything.
-spec is_available(LServer :: binary()) -> boolean().
is_available(LServer) ->
    gen_mod:is_loaded(LServer, mod_private).

%% @doc The element that is stored for a local user under this namespace, with its children and their text;
%% what is nested deeper is none of ours. One look into a cache, mostly.
-spec read(jid:jid(), Namespace :: binary()) -> {ok, xmlel()} | none | {error, unavailable}.
read(#jid{luser = LUser, lserver = LServer} = User, Namespace) ->
    read(User, fun() ->
                       case mod_private:get_data(LUser, LServer, [{Namespace, #xmlel{name = <<"none">>}}]) of
                           [#xmlel{name = <<"none">>, attrs = []}] -> error;
                           [Stored] -> {ok, Stored};
                           {error, _} = Error -> Error
                       end
               end, Namespace).

%% @doc The same past the cache, which may be behind if another node of a cluster has just written: for whoever goes on
%% to change what is there.
-spec read_stored(jid:jid(), Namespace :: binary()) -> {ok, xmlel()} | none | {error, unavailable}.
read_stored(#jid{luser = LUser, lserver = LServer} = User, Namespace) ->
    read(User, fun() -> (gen_mod:db_mod(LServer, mod_private)):get_data(LUser, LServer, Namespace) end, Namespace).

read(#jid{luser = LUser, lserver = LServer}, Read, Namespace) ->
    try is_available(LServer) andalso Read() of
        false -> {error, unavailable};
        error -> none;
        %% Erased.
        {ok, #xmlel{attrs = [{<<"xmlns">>, Namespace}], children = []}} -> none;
        {ok, #xmlel{children = Children} = Stored} ->
            {ok, Stored#xmlel{children = [cut(Child) || Child <- Children]}};
        {error, _} -> {error, unavailable}
    catch
        %% Storage that fails; ejabberd's own module logs nothing of it.
        Class:Reason ->
            ?ERROR_MSG("What is kept for ~ts cannot be read: ~0tp",
                       [jid:encode(jid:make(LUser, LServer)), {Class, Reason}]),
            {error, unavailable}
    end.

cut(#xmlel{children = Children} = El) -> El#xmlel{children = [Text || {xmlcdata, _} = Text <- Children]};
cut(Text) -> Text.

%% @doc Stores an element for a local user, under its namespace, in the place of what was there. Nothing is
%% stored for somebody who has no account: whoever gets that name would have it.
-spec write(jid:jid(), xmlel()) -> ok | {error, no_account | unavailable}.
write(#jid{luser = LUser, lserver = LServer} = User, #xmlel{} = Element) ->
    case {is_available(LServer), ejabberd_auth:user_exists(LUser, LServer)} of
        {false, _} -> {error, unavailable};
        {true, false} -> {error, no_account};
        {true, true} -> set(User, Element)
    end.

%% @doc Stores an element for a vhost itself, which no client can read or write. {@link read/2} finds it under
%% the address of the vhost.
-spec write_of_host(LServer :: binary(), xmlel()) -> ok | {error, unavailable}.
write_of_host(LServer, Element) ->
    case is_available(LServer) of
        true -> set(jid:make(LServer), Element);
        false -> {error, unavailable}
    end.

%% @doc Deletes all that the plugin keeps for a local user, or of one who has no account any more.
-spec erase(jid:jid()) -> ok | {error, unavailable}.
erase(#jid{lserver = LServer} = User) ->
    case is_available(LServer) of
        true -> erase(User, ?NAMESPACES);
        false -> ok
    end.

%% Older versions of mod_private delete all of a user or nothing: so an empty element stands for nothing.
erase(_User, []) ->
    ok;
erase(User, [Namespace | Namespaces]) ->
    Erased = case read(User, Namespace) of
                 {ok, _} -> set(User, #xmlel{name = <<"none">>, attrs = [{<<"xmlns">>, Namespace}]});
                 none -> ok;
                 {error, unavailable} = Error -> Error
             end,
    case Erased of
        ok -> erase(User, Namespaces);
        {error, _} -> Erased
    end.

%% @doc Returns when what was written before is safe from a crash of the virtual machine; in SQL it is at once.
-spec sync() -> ok | {error, #stanza_error{}}.
sync() ->
    twitter_mnesia_storage:sync().

set(User, Element) ->
    Namespace = fxml:get_tag_attr_s(<<"xmlns">>, Element),
    try mod_private:set_data(User, [{Namespace, Element}]) of
        ok -> ok;
        {error, _} -> {error, unavailable}
    catch
        Class:Reason ->
            ?ERROR_MSG("What is to be kept for ~ts cannot be stored: ~0tp", [jid:encode(User), {Class, Reason}]),
            {error, unavailable}
    end.
