%%% @doc What is believed of other servers. A service tells of authors on its own domain only: it has their
%%% domain, or one below that the domain lists as its own. Whatever it says of others never happened.
-module(twitter_trust).

-include_lib("xmpp/include/xmpp.hrl").

%% No post has a longer id, in bytes.
-define(MAX_ID, 255).

-export([author/1, may_speak_for/3, is_reader/2, check/2, take/3]).

%% @doc Whose post this is, if he may live on another server: in the normal spelling of his address.
-spec author(Publisher :: binary()) -> {ok, twitter_nif:jid()} | none.
author(Publisher) ->
    try jid:remove_resource(jid:make(jid:tolower(jid:decode(Publisher)))) of
        #jid{luser = LUser, lserver = LServer} = Jid when LUser =/= <<>> ->
            case is_ours(LServer) of
                false -> {ok, jid:encode(Jid)};
                true -> none
            end;
        _ ->
            none
    catch
        error:{bad_jid, _} -> none
    end.

is_ours(LServer) ->
    lists:member(LServer, ejabberd_option:hosts()).

%% @doc Whether the service tells of the authors of that domain. Their server may have to be asked, which takes
%% up to 20 seconds; `unknown' if it does not answer. Whoever has a name that cannot be right is not worth a
%% question.
-spec may_speak_for(Host :: binary(), Service :: binary(), twitter_nif:jid()) -> boolean() | unknown.
may_speak_for(Host, Service, Author) ->
    #jid{lserver = Domain} = twitter_roster:bare(Author),
    twitter_nif:speaks_for(Service, Domain, [Service])
        andalso (Service =:= Domain orelse is_listed(Host, Service, Domain)).

is_listed(Host, Service, Domain) ->
    case twitter_peer:ask(Host, Domain) of
        {ok, #{listed := Listed}} -> twitter_nif:speaks_for(Service, Domain, Listed);
        {error, unreachable} -> unknown
    end.

%% @doc Whether this is a user of the vhost, and a contact of the author's whose presence he sees.
-spec is_reader(jid:jid(), twitter_nif:jid()) -> boolean().
is_reader(#jid{luser = LUser, lserver = LServer} = Reader, Author) ->
    LUser =/= <<>> andalso twitter_roster:sees(Reader, twitter_roster:bare(Author))
        andalso ejabberd_auth:user_exists(LUser, LServer).

%% @doc Of some changes, those that may be taken: a post from elsewhere is like one that a user here may publish.
-spec check(ServerHost :: binary(), [Change]) -> [Change] when Change :: tuple().
check(ServerHost, Changes) ->
    MaxSize = mod_twitter_opt:max_post_size(ServerHost),
    [Change || Change <- Changes, is_fit(Change, MaxSize)].

is_fit({item, Id, _Published, _Version, Payload}, MaxSize) ->
    Id =/= <<>> andalso ok =:= twitter_post:check([#ps_item{id = Id, sub_els = Payload}], MaxSize);
is_fit({retract, Id, _Version}, _MaxSize) ->
    Id =/= <<>> andalso byte_size(Id) =< ?MAX_ID;
is_fit({purge, _Version}, _MaxSize) ->
    true.

%% @doc Whether another server may tell so much more, as fast as it does; what it may counts for the next time.
-spec take(twitter_service:served(), Domain :: binary(), Count :: pos_integer()) -> boolean().
take(#{server_host := ServerHost, rates := Rates}, Domain, Count) ->
    case mod_twitter_opt:remote_rate(ServerHost) of
        unlimited ->
            true;
        #{burst := Burst, refill := Refill} ->
            %% No author's address is a domain.
            Take = fun(_) ->
                           {ok, taken} =:= twitter_nif:take_post(Rates, Domain, Burst, Refill, twitter_stats:clock())
                   end,
            lists:all(Take, lists:seq(1, Count))
    end.
