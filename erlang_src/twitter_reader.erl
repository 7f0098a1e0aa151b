%%% @doc The one who asks: who he is to this service, and whose posts he may read in which stream.
-module(twitter_reader).

-include_lib("xmpp/include/xmpp.hrl").

-export([new/1, publisher/1, authors/2, friends/1, check/2, find/2]).
-export_type([reader/0]).

-type reader() :: #{jid := jid:jid(), name := twitter_nif:jid(), from := jid:jid(),
                    host := binary(), server_host := binary(), lang := binary()}.

%% @doc The sender of a request to a pubsub host.
-spec new(iq()) -> reader().
new(#iq{from = From, to = #jid{lserver = Host}, lang = Lang}) ->
    Bare = jid:remove_resource(jid:make(jid:tolower(From))),
    #{jid => Bare, name => jid:encode(Bare), from => From, host => Host,
      server_host => ejabberd_router:host_of_route(Host), lang => Lang}.

%% @doc The same one as a publisher; refused unless he is a registered user of the vhost.
-spec publisher(reader()) -> jid:jid().
publisher(#{jid := #jid{luser = LUser, lserver = Server} = Jid, server_host := Server, lang := Lang})
  when LUser =/= <<>> ->
    case ejabberd_auth_anonymous:anonymous_user_exist(LUser, Server) of
        true -> twitter_error:refuse(anonymous_publisher, Lang);
        false -> Jid
    end;
publisher(#{lang := Lang}) ->
    twitter_error:refuse(remote_publisher, Lang).

%% @doc Whose posts make up a stream for this reader. The stream must have passed {@link check/2}.
-spec authors(reader(), twitter_nif:stream()) -> [twitter_nif:jid()].
authors(#{name := Name}, mine) -> [Name];
authors(_Reader, {friend, Friend}) -> [Friend];
authors(Reader, friends) -> [Friend || {Friend, _} <- friends(Reader)].

%% @doc The reader's friends by name. One from another server has no roster here: his friends are
%% the authors who let him see their presence.
-spec friends(reader()) -> [{twitter_nif:jid(), Name :: binary()}].
friends(#{jid := Jid, host := Host}) ->
    case twitter_roster:is_local(Jid) of
        true ->
            twitter_roster:friends(Jid);
        false ->
            [{Author, Author} || Author <- lists:sort(twitter_store:authors(Host)),
                                 twitter_roster:may_see(Jid, jid:decode(Author))]
    end.

%% @doc Refuses what this reader may not see, exactly like what does not exist.
-spec check(reader(), unknown | twitter_nif:node_term()) -> twitter_nif:node_term().
check(#{lang := Lang}, unknown) ->
    twitter_error:refuse(not_found, Lang);
check(#{lang := Lang} = Reader, {stream, {friend, Friend}} = Node) ->
    is_friend(Reader, Friend) orelse twitter_error:refuse(not_found, Lang),
    Node;
check(Reader, {post, {Stream, _}} = Node) ->
    _ = check(Reader, {stream, Stream}),
    _ = find(Reader, Node),
    Node;
check(_Reader, Node) ->
    Node.

%% @doc The author of a post, by the node that names it: in FriendsStream, of the newest post with
%% this id.
-spec find(reader(), twitter_nif:node_term()) -> {Author :: twitter_nif:jid(), Id :: binary()}.
find(#{host := Host, lang := Lang} = Reader, {post, {Stream, Id}}) ->
    case twitter_index:find(Host, authors(Reader, Stream), Id) of
        [Post | _] -> Post;
        [] -> twitter_error:refuse(not_found, Lang)
    end.

is_friend(#{jid := Jid}, Friend) ->
    case twitter_roster:is_local(Jid) of
        true -> twitter_roster:is_friend(Jid, Friend);
        false -> twitter_roster:is_local_author(Friend) andalso
                     twitter_roster:may_see(Jid, jid:decode(Friend))
    end.
