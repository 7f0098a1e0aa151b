%%% @doc A node of the tree as one reader sees it at this moment. His rights are asked once, here;
%%% what he may not see is refused exactly like what does not exist.
-module(twitter_view).

-export([open/2]).
-export_type([view/0]).

-type view() ::
        #{node := twitter_nif:node_term(),
          reader := twitter_reader:reader(),
          %% Whose posts make up the stream.
          authors := [twitter_nif:jid()],
          %% Friends by name, where the node shows friends or posts of several people.
          friends := [{twitter_nif:jid(), Name :: binary()}],
          %% Of a node that is one post: which. In FriendsStream the newest with this id.
          post => {Author :: twitter_nif:jid(), Id :: binary()}}.

%% @doc Opens a node, or refuses it.
-spec open(twitter_reader:reader(), unknown | twitter_nif:node_term()) -> view().
open(#{lang := Lang}, unknown) ->
    twitter_error:refuse(not_found, Lang);
open(#{host := Host, lang := Lang} = Reader, {post, {Stream, Id}} = Node) ->
    #{authors := Authors} = View = open(Reader, {stream, Stream}),
    case twitter_index:find(Host, Authors, Id) of
        [Post | _] -> View#{node := Node, post => Post};
        [] -> twitter_error:refuse(not_found, Lang)
    end;
open(Reader, Node) ->
    {Authors, Friends} = people(Reader, Node),
    #{node => Node, reader => Reader, authors => Authors, friends => Friends}.

people(#{name := Name}, {stream, mine}) ->
    {[Name], []};
people(#{lang := Lang} = Reader, {stream, {friend, Friend}}) ->
    case friend(Reader, Friend) of
        {ok, Name} -> {[Friend], [{Friend, Name}]};
        none -> twitter_error:refuse(not_found, Lang)
    end;
people(_Reader, root) ->
    {[], []};
people(Reader, _FriendsStreamOrMyFriends) ->
    Friends = friends(Reader),
    {[Friend || {Friend, _} <- Friends], Friends}.

%% A reader from another server has no roster here: his friends are the authors who let him see
%% their presence.
friends(#{jid := Jid, host := Host}) ->
    case twitter_roster:is_local(Jid) of
        true ->
            twitter_roster:friends(Jid);
        false ->
            [{Author, Author} || Author <- lists:sort(twitter_store:authors(Host)),
                                 twitter_roster:may_see(Jid, jid:decode(Author))]
    end.

friend(#{jid := Jid}, Friend) ->
    case twitter_roster:is_local(Jid) of
        true ->
            twitter_roster:friend(Jid, Friend);
        false ->
            case twitter_roster:is_local_author(Friend)
                andalso twitter_roster:may_see(Jid, jid:decode(Friend)) of
                true -> {ok, Friend};
                false -> none
            end
    end.
