%%% @doc Who may see whom: asked from ejabberd at the moment of use, never remembered. Rosters come
%%% from the `roster_get' fold, so shared groups count; blocks come from `privacy_check_packet'.
-module(twitter_roster).

-include_lib("xmpp/include/xmpp.hrl").

-export([friends/1, friend/2, recipients/1, recheck/2, may_see/2, is_blocked/2, users/1]).
-export([is_local/1, is_local_author/1]).

%% @doc The contacts whose presence this local user may see now, with the names he gave them,
%% sorted by name.
-spec friends(Reader :: jid:jid()) -> [{twitter_nif:jid(), Name :: binary()}].
friends(Reader) ->
    [Friend || {Contact, _} = Friend <- contacts(Reader), may_see(Reader, jid:decode(Contact))].

%% @doc The name of that contact, if he is one of them.
-spec friend(Reader :: jid:jid(), Contact :: twitter_nif:jid()) -> {ok, Name :: binary()} | none.
friend(Reader, Contact) ->
    case lists:keyfind(Contact, 1, contacts(Reader)) of
        {Contact, Name} ->
            case may_see(Reader, jid:decode(Contact)) of
                true -> {ok, Name};
                false -> none
            end;
        false ->
            none
    end.

contacts(Reader) ->
    twitter_nif:friends(jid:encode(jid:remove_resource(jid:make(jid:tolower(Reader)))), lines(Reader)).

%% @doc Whom the roster of a local author lets see his presence now, and who can be reached.
-spec recipients(Author :: jid:jid()) -> twitter_nif:fanout().
recipients(Author) ->
    twitter_nif:recipients(jid:encode(Author), lines(Author), twitter_sessions:here()).

%% @doc Takes from those who are left whom the roster no longer lets see the author.
-spec recheck(twitter_nif:fanout(), Author :: jid:jid()) -> ok.
recheck(Fanout, Author) ->
    twitter_nif:recheck(Fanout, lines(Author)).

%% @doc Whether, as far as this server knows, the reader may see the author's presence: a local
%% author's roster says so, and neither blocks the other. A reader with a resource is asked about as
%% that resource: it may be blocked alone.
-spec may_see(Reader :: jid:jid(), Author :: jid:jid()) -> boolean().
may_see(Reader, Author) ->
    lets_see(Author, jid:remove_resource(Reader)) andalso not is_blocked(Reader, Author).

%% @doc Whether one of them blocks the other, as far as this server knows.
-spec is_blocked(Reader :: jid:jid(), Author :: jid:jid()) -> boolean().
is_blocked(Reader, Author) ->
    blocks(Author, #presence{from = Author, to = Reader}, out)
        orelse blocks(Reader, #message{from = Author, to = Reader, type = headline}, in).

%% @doc All users of a vhost.
-spec users(ServerHost :: binary()) -> [twitter_nif:jid()].
users(ServerHost) ->
    [jid:encode(jid:make(User, Server)) || {User, Server} <- ejabberd_auth:get_users(ServerHost)].

%% @doc Whether the JID belongs to a user of this server.
-spec is_local(jid:jid()) -> boolean().
is_local(#jid{luser = <<>>}) -> false;
is_local(#jid{lserver = Server}) -> lists:member(Server, ejabberd_option:hosts()).

%% @doc Whether this is the one spelling of the bare JID of a user of this server.
-spec is_local_author(binary()) -> boolean().
is_local_author(Name) ->
    try jid:decode(Name) of
        Jid -> is_local(Jid) andalso jid:encode(jid:tolower(Jid)) =:= Name
    catch
        error:{bad_jid, _} -> false
    end.

%% The roster of an author elsewhere is his server's business; the reader's own has been asked.
lets_see(#jid{luser = LUser, lserver = LServer} = Author, Reader) ->
    not is_local(Author) orelse
        case ejabberd_hooks:run_fold(roster_get_jid_info, LServer, {none, none, []},
                                     [LUser, LServer, Reader]) of
            {both, _, _} -> true;
            {from, _, _} -> true;
            _ -> false
        end.

blocks(#jid{lserver = LServer} = Who, Packet, Direction) ->
    is_local(Who) andalso
        deny =:= ejabberd_hooks:run_fold(privacy_check_packet, LServer, allow,
                                         [Who, Packet, Direction]).

%% MIX channels stand in the roster as contacts that see everything, but nobody reads there.
-spec lines(jid:jid()) -> [twitter_nif:line()].
lines(#jid{luser = LUser, lserver = LServer}) ->
    Items = ejabberd_hooks:run_fold(roster_get, LServer, [], [{LUser, LServer}]),
    [{User, Server, Name, Subscription}
     || #roster_item{jid = #jid{luser = User, lserver = Server}, name = Name,
                     subscription = Subscription, mix_channel = undefined} <- Items,
        Subscription =/= remove].
