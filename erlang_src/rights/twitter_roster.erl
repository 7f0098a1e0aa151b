%%% @doc Who may see whom: asked from ejabberd at the moment of use, never remembered. Rosters come
%%% from the `roster_get' fold, so shared groups count; blocks come from `privacy_check_packet'. When they
%%% cannot be read, nobody is told anything: these functions exit then, as Mnesia does.
-module(twitter_roster).

-include_lib("xmpp/include/xmpp.hrl").

-export([friends/1, friend/2, who_may_be_seen/2, may_see/2, is_blocked/2, hides/2, refuses/2, lets_see/2, sees/2, lines/1, users/1]).
-export([count_readers/1, readers/2, domains/1]).
-export([is_local/1, is_local_author/1, bare/1]).
-export_type([reader/0]).

%% Who asks. A session in which a privacy list is active says so, as mod_privacy wants to have it.
-type reader() :: jid:jid() | #{jid := jid:jid(), privacy_active_list := none | binary(), _ => _}.

%% @doc The contacts whose presence this local user may see now, with the names he gave them,
%% sorted by name.
-spec friends(reader()) -> [{twitter_nif:jid(), Name :: binary()}].
friends(Reader) ->
    ok = twitter_watch:sync(),
    Contacts = contacts(jid(Reader)),
    IsOpen = maps:from_keys(who_may_be_seen(Reader, [Contact || {Contact, _} <- Contacts]), true),
    [Friend || {Contact, _} = Friend <- Contacts, is_map_key(Contact, IsOpen)].

%% @doc Of some authors those whose presence the reader may see: of each as {@link may_see/2}. To be called after {@link
%% twitter_watch:sync/0}.
-spec who_may_be_seen(reader(), [twitter_nif:jid()]) -> [twitter_nif:jid()].
who_may_be_seen(Reader, Authors) ->
    Letting = who_let_see(Authors, jid(Reader)),
    MayBlock = by_vhost(Letting, fun(Server, Local) -> twitter_blocks:who_may_block(Server, Local, jid(Reader)) end),
    MayHide = maps:from_keys(MayBlock, true),
    MayRefuse = may_refuse(Reader),
    [Author || Author <- Letting,
               not (is_map_key(Author, MayHide) andalso hides(bare(Author), jid(Reader))),
               not (MayRefuse andalso refuses(Reader, bare(Author)))].

%% Of the author's roster, if he lives here; elsewhere it is his server's business, and the reader's own
%% has been asked.
who_let_see(Authors, Reader) ->
    Bare = jid:remove_resource(Reader),
    [Author || Author <- Authors, not is_of_vhost(Author)]
        ++ by_vhost(Authors, fun(Server, Local) -> twitter_rights:who_let_see(Server, Local, Bare) end).

is_of_vhost(Author) ->
    lists:member((bare(Author))#jid.lserver, ejabberd_option:hosts()).

%% Of the authors of each vhost some.
by_vhost(Authors, Some) ->
    Vhosts = maps:groups_from_list(fun(Author) -> (bare(Author))#jid.lserver end, lists:filter(fun is_of_vhost/1, Authors)),
    lists:append([Some(Server, Local) || {Server, Local} <- maps:to_list(Vhosts)]).

%% @doc The name of that contact, if he is one of them.
-spec friend(reader(), Contact :: twitter_nif:jid()) -> {ok, Name :: binary()} | none.
friend(Reader, Contact) ->
    case lists:keyfind(Contact, 1, contacts(jid(Reader))) of
        {Contact, Name} ->
            ok = twitter_watch:sync(),
            case may_see(Reader, bare(Contact)) of
                true -> {ok, Name};
                false -> none
            end;
        false ->
            none
    end.

contacts(Reader) ->
    twitter_nif:friends(jid:encode(jid:remove_resource(jid:make(jid:tolower(Reader)))), lines(Reader)).

%% @doc Whether, as far as this server knows, the reader may see the author's presence: a local
%% author's roster says so, and neither blocks the other. A reader with a resource is asked about as
%% that resource: it may be blocked alone.
-spec may_see(reader(), Author :: jid:jid()) -> boolean().
may_see(Reader, Author) ->
    [] =/= who_let_see([jid:encode(jid:tolower(Author))], jid(Reader))
        andalso not is_blocked(Reader, Author).

%% @doc Whether one of them blocks the other, as far as this server knows: see {@link
%% twitter_watch:sync/0}.
-spec is_blocked(reader(), Author :: jid:jid()) -> boolean().
is_blocked(Reader, Author) ->
    hides(Author, jid(Reader)) orelse refuses(Reader, Author).

%% @doc Whether the author keeps his presence from the reader. It is his default list that counts
%% (XEP-0016): posts are of the user as a whole, and an active list is of a session, which they outlive.
-spec hides(Author :: jid:jid(), Reader :: jid:jid()) -> boolean().
hides(Author, Reader) ->
    may_hide(Author) andalso denies(Author, Author, #presence{from = Author, to = Reader}, out).

%% @doc Whether the reader does not want to see the author: his list lets in either no presence or no
%% messages, as which posts come. If a list is active in his session it counts there, and the default list
%% does not.
-spec refuses(reader(), Author :: jid:jid()) -> boolean().
refuses(Reader, Author) ->
    To = jid(Reader),
    may_refuse(Reader) andalso
        (denies(Reader, To, #presence{from = Author, to = To}, in)
         orelse denies(Reader, To, #message{from = Author, to = To, type = headline}, in)).

%% What is known of all is looked at first.
may_block(#jid{luser = LUser, lserver = LServer} = Who) ->
    is_local(Who) andalso twitter_blocks:may_block(LUser, LServer).

may_hide(Author) ->
    may_block(Author) andalso twitter_blocks:may_have_list(Author).

%% By the list that is active in his session, or his default list.
may_refuse(Reader) ->
    To = jid(Reader),
    may_block(To) andalso (active_list(Reader) =/= none orelse twitter_blocks:may_have_list(To)).

denies(Who, #jid{lserver = LServer} = Jid, Packet, Direction) ->
    %% To a hook that fails nobody is blocked.
    ok = twitter_tables:check_lists(Jid, active_list(Who)),
    deny =:= ejabberd_hooks:run_fold(privacy_check_packet, LServer, allow, [Who, Packet, Direction]).

active_list(#{privacy_active_list := Name}) -> Name;
active_list(_) -> none.

jid(#jid{} = Jid) -> Jid;
jid(#{jid := Jid}) -> Jid.

%% @doc The bare JID that this is in one normal spelling: jid:decode/1 would prepare it once more.
-spec bare(twitter_nif:jid()) -> jid:jid().
bare(Contact) ->
    case binary:split(Contact, <<"@">>) of
        [User, Server] -> #jid{user = User, server = Server, luser = User, lserver = Server};
        [Server] -> #jid{server = Server, lserver = Server}
    end.

%% @doc How many contacts a post of this user goes to, as far as his own server knows.
-spec count_readers(Author :: jid:jid()) -> non_neg_integer().
count_readers(Author) ->
    Readers = [jid:make(User, Server) || {User, Server, _Name, Subscription} <- lines(Author),
                                         Subscription =:= from orelse Subscription =:= both],
    ok = twitter_watch:sync(),
    MayHide = may_hide(Author),
    length([Reader || Reader <- Readers, not (MayHide andalso hides(Author, Reader))]).

%% @doc The contacts on another server who may see a local author now.
-spec readers(Author :: jid:jid(), Domain :: binary()) -> [twitter_nif:jid()].
readers(Author, Domain) ->
    ok = twitter_watch:sync(),
    Readers = twitter_rights:readers(Author, Domain),
    case may_hide(Author) of
        true -> [Reader || Reader <- Readers, not hides(Author, bare(Reader))];
        false -> Readers
    end.

%% @doc The other servers on which somebody may see a local author now.
-spec domains(Author :: jid:jid()) -> [binary()].
domains(Author) ->
    lists:usort([Server || {_User, Server, _Name, Subscription} <- lines(Author),
                           Subscription =:= from orelse Subscription =:= both])
        -- ejabberd_option:hosts().

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

%% @doc Whether ejabberd says that the roster of a local author lets this user see him.
-spec lets_see(Author :: jid:jid(), Reader :: jid:jid()) -> boolean().
lets_see(Author, Reader) ->
    lists:member(subscription(Author, Reader), [both, from]).

%% @doc Whether ejabberd says that a local user sees the presence of this contact, by his own roster.
-spec sees(Reader :: jid:jid(), Author :: jid:jid()) -> boolean().
sees(Reader, Author) ->
    lists:member(subscription(Reader, Author), [both, to]).

subscription(#jid{luser = LUser, lserver = LServer}, Contact) ->
    ok = check_rosters(LServer),
    {Subscription, _, _} = ejabberd_hooks:run_fold(roster_get_jid_info, LServer, {none, none, []},
                                                   [LUser, LServer, Contact]),
    Subscription.

check_rosters(LServer) ->
    twitter_tables:check(LServer, {mod_roster, mod_roster_mnesia}, roster).

%% @doc The roster of a local user. MIX channels stand in it as contacts that see everything, but nobody
%% reads there.
-spec lines(jid:jid()) -> [twitter_nif:line()].
lines(#jid{luser = LUser, lserver = LServer}) ->
    ok = check_rosters(LServer),
    Items = ejabberd_hooks:run_fold(roster_get, LServer, [], [{LUser, LServer}]),
    ok = twitter_tables:check_roster(LUser, LServer, Items),
    [{User, Server, Name, Subscription}
     || #roster_item{jid = #jid{luser = User, lserver = Server}, name = Name,
                     subscription = Subscription, mix_channel = undefined} <- Items,
        Subscription =/= remove].
