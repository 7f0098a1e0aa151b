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
          post => twitter_nif:post()}.

%% @doc Opens a node, or refuses it.
-spec open(twitter_reader:reader(), unknown | twitter_nif:node_term()) -> view().
open(#{lang := Lang}, unknown) ->
    twitter_error:refuse(not_found, Lang);
open(#{service := Service, lang := Lang} = Reader, {post, {Stream, Id}} = Node) ->
    #{authors := Authors} = View = open(Reader, {stream, Stream}),
    %% One byte: the payload of the first is enough.
    case twitter_index:find(Service, Authors, twitter_reader:local_name(Reader), [Id], 1) of
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
people(#{jid := Jid} = Reader, Node) ->
    Friends = case {Node, twitter_roster:is_local(Jid)} of
                  {{stream, friends}, true} -> twitter_settings:heard(Jid, friends(Reader, Node));
                  _ -> friends(Reader, Node)
              end,
    {[Friend || {Friend, _} <- Friends], Friends}.

%% A reader from another server has no roster here: his friends are the local users who let him see
%% their presence. FriendsStream needs only those who have ever posted.
friends(#{jid := Jid, who := Reader, service := Service}, Node) ->
    case twitter_roster:is_local(Jid) of
        true ->
            twitter_roster:friends(Reader);
        false ->
            ok = twitter_watch:sync(),
            #{host := Host, server_host := ServerHost} = Service,
            Users = case Node of
                        {stream, friends} -> twitter_store:authors(Host);
                        my_friends -> twitter_roster:users(ServerHost)
                    end,
            [{User, User} || User <- lists:sort(twitter_roster:who_may_be_seen(Reader, Users))]
    end.

friend(#{jid := Jid, who := Reader}, Friend) ->
    case twitter_roster:is_local(Jid) of
        true ->
            twitter_roster:friend(Reader, Friend);
        false ->
            ok = twitter_watch:sync(),
            case twitter_roster:is_local_author(Friend)
                andalso twitter_roster:may_see(Reader, jid:decode(Friend)) of
                true -> {ok, Friend};
                false -> none
            end
    end.
